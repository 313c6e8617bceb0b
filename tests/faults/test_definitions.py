"""Definitions that cannot be meant: refused with the file and the key, never half-used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import crmmining as cm
from crmmining.definitions import read_catalogue

Overlay = Callable[..., dict[str, Any]]
SHARE = """
[tried]
question = "q"
formula = "f"
kind = "share"
where = "{where}"
period = "{period}"
unit = "share"
better = "higher"
"""


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    """Write overlay files, `kpis/...` or `extractors/...`, and return what `connect` takes."""

    def written(**files: str) -> dict[str, Any]:
        folders: dict[str, Any] = {}
        for name, text in files.items():
            kind, rest = name.split("__", 1)
            stem, _, suffix = rest.rpartition("_")
            place = tmp_path / kind / ("salesforce" if kind == "extractors" else "")
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{stem}.{suffix}").write_text(text)
            folders[kind] = [tmp_path / kind]
        return folders

    return written


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"kpis__lead_toml": SHARE.format(where="open", period="start")},
            "tried.period: 'start' is no milestone",
        ),
        ({"kpis__lead_toml": 'process = "case"\n'}, "lead.toml: process: a KPI is a table"),
        (
            {"kpis__case_toml": "[first_time_right.unless]\nodd = 'reopens >'\n"},
            "first_time_right.unless.odd: cannot be read as SQL",
        ),
        (
            {"kpis__case_toml": "[sla_compliance]\nstart = 'begun'\n"},
            "sla_compliance.start: 'begun' is no milestone",
        ),
        (
            {"kpis__case_toml": "[final_resolution_time]\nend = 'end'\n"},
            "final_resolution_time.end: 'end' is no milestone",
        ),
        (
            {"kpis__case_toml": "[first_time_right]\nwhere = 'open'\n"},
            "state either 'where' or the reasons of 'unless'",
        ),
        (
            {"kpis__lead_toml": SHARE.format(where="open", period="created") + 'process = "case"\n'},
            "tried.process: is the table's own name or its file's",
        ),
        (
            {"extractors__case_toml": '[levels]\nPriority = [["low"], ["Low"]]\n'},
            "levels.Priority: 'low' is stated more than once",
        ),
        (
            {"extractors__opportunity_toml": '[stages]\nopen = ["A", "A"]\nwon = ["B"]\n'},
            "stages: Value error, stated more than once: A",
        ),
        (
            {"extractors__lead_toml": '[segments]\nunit = "region"\n'},
            "segments.unit: is a column of every KPI row",
        ),
        ({"extractors__source_toml": '[org]\ntime_zone = "Mars/Base"\n'}, "'Mars/Base' is no IANA time zone"),
    ],
)
def test_a_faulty_definition_is_refused_when_read(
    overlay: Overlay, files: dict[str, str], message: str
) -> None:
    with pytest.raises(cm.DefinitionError) as caught:
        read_catalogue(**overlay(**files))
    assert message in str(caught.value)


def test_an_overlay_in_the_wrong_place_is_no_overlay(tmp_path: Path) -> None:
    (tmp_path / "opportunity.toml").write_text('title = "x"\n')
    with pytest.raises(cm.DefinitionError, match="holds no definitions; they are looked for as salesforce"):
        read_catalogue(extractors=[tmp_path])
    (tmp_path / "opportunity.toml").unlink()
    with pytest.raises(cm.DefinitionError, match="holds no definitions"):
        read_catalogue(kpis=[tmp_path])


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("amountt > 1", "unknown fact 'amountt'. Did you mean 'amount'?"),
        ("amount", "'amount' is no condition: it gives Float64"),
        ("amount = max(amount)", "gives one value for many cases|cannot be read as an SQL condition"),
        ("count(*) > 1", "gives one value for many cases|cannot be read as an SQL condition"),
    ],
)
def test_a_condition_must_be_one_answer_per_case(
    overlay: Overlay, sample_folder: Path, where: str, message: str
) -> None:
    files = {"kpis__opportunity_toml": SHARE.format(where=where, period="created")}
    crm = cm.connect(sample_folder, **overlay(**files))
    with pytest.raises(cm.CrmMiningError, match=message.replace("?", "[?]")) as caught:
        crm.scorecard("opportunity", kpis=["tried"])
    assert caught.value.__notes__ == ["in KPI 'tried'"]


CASES = (
    "CREATE OR REPLACE TEMP VIEW cases AS"
    " SELECT Id AS case_id, CreatedDate AS created_at, {more} FROM Lead;\n"
)
EVENTS = (
    "CREATE OR REPLACE TEMP VIEW events AS SELECT Id AS case_id, {activity} AS activity,"
    " {time} AS occurred_at, CreatedDate AS recorded_at, CreatedById AS actor, {rank} AS rank,"
    " Id AS source_id, NULL::VARCHAR AS old_value, NULL::VARCHAR AS new_value, NULL::TINYINT AS direction,"
    " false AS date_only FROM Lead;\n"
)
GOOD = {"activity": "'Create Lead'", "time": "CreatedDate", "rank": "0::UTINYINT"}


@pytest.mark.parametrize(
    ("more", "changed", "message"),
    [
        ("false AS truncated", {"activity": "'Invent'"}, "activities not declared in the TOML: Invent"),
        (
            "false AS truncated",
            {"time": "CAST(CreatedDate AS DATE)"},
            "'occurred_at' of view 'events' is Date",
        ),
        ("false AS truncated", {"rank": "NULL::UTINYINT"}, "column 'rank' of view 'events' has 352 nulls"),
        ("false AS truncated, 1 AS won_n, 2 AS outcome", {}, "view 'cases' has the derived column 'outcome'"),
        ("1 AS x", {}, "view 'cases' lacks the column 'truncated'"),
        ("false AS truncated", {}, "segments.region: view 'cases' has no column 'region'"),
        ("false AS truncated FROM Nothing; SELECT 1", {}, "lead.sql: "),
    ],
)
def test_sql_that_does_not_keep_its_contract_is_refused(
    overlay: Overlay, sample_folder: Path, more: str, changed: dict[str, str], message: str
) -> None:
    sql = CASES.format(more=more) + EVENTS.format(**(GOOD | changed))
    crm = cm.connect(sample_folder, **overlay(extractors__lead_sql=sql))
    with pytest.raises(cm.DefinitionError) as caught:
        crm.event_log("lead")
    assert message in str(caught.value)


def test_views_of_one_process_never_serve_another(overlay: Overlay, sample_folder: Path) -> None:
    crm = cm.connect(sample_folder, **overlay(extractors__lead_sql=CASES.format(more="false AS truncated")))
    assert crm.event_log("case").events.height > 0
    with pytest.raises(cm.DefinitionError, match=r"lead\.sql: Catalog Error: .*events"):
        crm.event_log("lead")


def test_a_segment_called_like_a_fact_changes_no_figure(overlay: Overlay, sample_folder: Path) -> None:
    files = {
        "extractors__opportunity_toml": '[segments]\ntype = "industry"\n',
        "kpis__opportunity_toml": SHARE.format(where="type = 'New Business'", period="created"),
    }
    crm = cm.connect(sample_folder, **overlay(**files))
    whole = crm.scorecard("opportunity", kpis=["tried"])
    cut = crm.scorecard("opportunity", kpis=["tried"], by=["type"])
    assert cut["n"].sum() == whole["n"].item() == 246
    hits = (cut["value"] * cut["n"]).sum()
    assert round(hits) == round(whole["value"].item() * 246) > 0


def test_currency_can_be_a_segment(sample: cm.Crm) -> None:
    rows = sample.scorecard("opportunity", by=["currency"], kpis=["won_amount"])
    assert rows.select("currency", "unit").rows() == [(c, "USD") for c in ("EUR", "GBP", "JPY", "USD")]


def test_a_word_said_twice_counts_once(sample: cm.Crm) -> None:
    once = sample.scorecard("case", by=["region"], kpis=["cases_created"])
    twice = sample.scorecard(["case", "case"], by=["region", "region"], kpis=["cases_created"] * 2)
    assert twice.equals(once)


def test_a_named_kpi_that_cannot_be_shown_is_an_error(
    sample: cm.Crm, sample_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        cm.CrmMiningError, match="'win_rate' is one of process 'opportunity', but case was asked"
    ):
        sample.scorecard("case", kpis=["win_rate"])
    (tmp_path / "Opportunity.csv").write_bytes((sample_folder / "Opportunity.csv").read_bytes())
    with pytest.raises(
        cm.SourceError, match="KPI 'won_without_quote' cannot be shown: the source lacks Quote"
    ):
        cm.connect(tmp_path).scorecard(kpis=["won_without_quote"])


def test_a_past_moment_says_which_attributes_are_of_today(sample: cm.Crm) -> None:
    said = sample.quality("lead", as_of="2024-01-01").filter(pl.col("disposition") == "finding")
    of_leads = said.filter(pl.col("table") == "lead: Lead")["reason"].to_list()
    assert len(of_leads) == 1
    assert of_leads[0].startswith("known only as they are today, not as of the moment: ")


def test_dates_mean_midnight_where_the_org_is(overlay: Overlay, sample_folder: Path) -> None:
    crm = cm.connect(sample_folder, **overlay(extractors__source_toml='[org]\ntime_zone = "Asia/Tokyo"\n'))
    assert crm.moment("2024-06-01").isoformat() == "2024-05-31T15:00:00+00:00"
    assert crm.moment("2024-06-01T00:00:00").isoformat() == "2024-06-01T00:00:00+00:00"
    rows = crm.scorecard("opportunity", period="month", since="2024-04-01", until="2024-06-01")
    for kpi in ("opportunities_created", "open_opportunities"):
        months = rows.filter(pl.col("kpi") == kpi)["period_start"].dt.month().to_list()
        assert months == [4, 5]
