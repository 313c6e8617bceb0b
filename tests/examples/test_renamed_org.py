"""An org with its own words: an overlay gives the figures of Salesforce's words, and those of its own."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import crmmining as cm
from crmmining.definitions import shipped
from crmmining.eventlog import SEPARATOR

EXAMPLE = shipped("extractors").parent / "examples" / "renamed_org"
STAGES = {
    "Prospecting": "1 Kontakt",
    "Qualification": "2 Bedarf",
    "Needs Analysis": "3 Analyse",
    "Value Proposition": "4 Nutzen",
    "Id. Decision Makers": "5 Entscheider",
    "Perception Analysis": "6 Wahrnehmung",
    "Proposal/Price Quote": "7 Angebot",
    "Negotiation/Review": "8 Verhandlung",
    "Closed Won": "Gewonnen",
    "Closed Lost": "Verloren",
}
LEADS = {
    "Open - Not Contacted": "Neu",
    "Working - Contacted": "In Kontakt",
    "Nurturing": "Pflege",
    "Qualified": "Qualifiziert",
    "Closed - Converted": "Umgewandelt",
    "Closed - Not Converted": "Verworfen",
}
CASES = {
    "New": "Eingang",
    "Working": "In Arbeit",
    "Waiting on Customer": "Wartet auf Kunde",
    "Escalated": "Eskaliert",
    "Closed": "Erledigt",
}
PRIORITIES = {"Low": "Stufe 1", "Medium": "Stufe 2", "High": "Stufe 3", "Critical": "Stufe 4"}
RENAMED = [
    ("Opportunity", "StageName", STAGES),
    ("OpportunityHistory", "StageName", STAGES),
    ("Lead", "Status", LEADS),
    ("Case", "Status", CASES),
    ("Case", "Priority", PRIORITIES),
]
HISTORIES = [
    ("OpportunityFieldHistory", "StageName", STAGES),
    ("LeadHistory", "Status", LEADS),
    ("CaseHistory", "Status", CASES),
    ("CaseHistory", "Priority", PRIORITIES),
]
EXPLAINING = ("OpportunityStage", "LeadStatus", "CaseStatus")


def read(folder: Path, table: str) -> pl.DataFrame:
    return pl.read_csv(folder / f"{table}.csv", infer_schema=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same CRM twice: in Salesforce's words, and in the words of the org, with what the org added."""
    place = tmp_path_factory.mktemp("orgs")
    plain = cm.simulate(place / "plain", accounts=30, seed=3)
    own = place / "own"
    own.mkdir()
    for file in sorted(plain.glob("*.csv")):
        if file.stem not in EXPLAINING:
            (own / file.name).write_bytes(file.read_bytes())
    for table, column, words in RENAMED:
        read(own, table).with_columns(pl.col(column).replace(words)).write_csv(own / f"{table}.csv")
    for table, field, words in HISTORIES:
        mine = pl.col("Field") == field
        values = [
            pl.when(mine).then(pl.col(side).replace(words)).otherwise(side).alias(side)
            for side in ("OldValue", "NewValue")
        ]
        read(own, table).with_columns(values).write_csv(own / f"{table}.csv")
    deals = read(own, "Opportunity").with_columns(
        Region__c=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("Nord")).otherwise(pl.lit("Süd"))
    )
    deals.write_csv(own / "Opportunity.csv")
    read(own, "Case").with_columns(Queue__c=pl.lit("Hotline")).write_csv(own / "Case.csv")
    first = deals.sort("Id").row(0, named=True)
    rows = read(own, "OpportunityFieldHistory")
    discount = rows.head(1).with_columns(
        Id=pl.lit("0175e0039999999AAA"),
        OpportunityId=pl.lit(first["Id"]),
        CreatedDate=pl.lit(first["CreatedDate"]),
        Field=pl.lit("Discount__c"),
        DataType=pl.lit("Percent"),
        NewValue=pl.lit("10"),
    )
    pl.concat([rows, discount]).write_csv(own / "OpportunityFieldHistory.csv")
    created = datetime.fromisoformat(first["CreatedDate"])
    visited = f"{created + timedelta(hours=1):%Y-%m-%dT%H:%M:%S.000Z}"
    (own / "Site_Visit__c.csv").write_text(
        "Id,CreatedDate,CreatedById,SystemModstamp,IsDeleted,Opportunity__c,Visited__c\n"
        f"a005e0000000001AAA,{first['CreatedDate']},,,false,{first['Id']},{visited}\n"
        f"a005e0000000002AAA,{first['CreatedDate']},,,true,{first['Id']},{visited}\n",
        encoding="utf-8",
    )
    return plain, own


@pytest.fixture(scope="module")
def plain(folders: tuple[Path, Path]) -> cm.Crm:
    return cm.connect(folders[0])


@pytest.fixture(scope="module")
def own(folders: tuple[Path, Path]) -> cm.Crm:
    return cm.connect(folders[1], extractors=[EXAMPLE / "extractors"], kpis=[EXAMPLE / "kpis"])


@pytest.mark.parametrize("process", ["account", "case", "lead", "opportunity"])
def test_every_kpi_has_the_same_value_in_other_words(plain: cm.Crm, own: cm.Crm, process: str) -> None:
    shared = plain.scorecard(process).drop("definition")
    named = own.scorecard(process).drop("definition").filter(pl.col("kpi").is_in(shared["kpi"].implode()))
    assert shared.height > 8
    assert named.rows() == shared.rows()


def test_priorities_go_up_and_down_in_other_words(plain: cm.Crm, own: cm.Crm) -> None:
    raised = [
        crm.event_log("case")
        .events.filter(activity="Raise Priority")
        .select("case_id", "occurred_at", "delta")
        for crm in (plain, own)
    ]
    assert raised[0].height > 0
    assert raised[1].rows() == raised[0].rows()


@pytest.mark.parametrize(("process", "words"), [("opportunity", STAGES), ("lead", LEADS), ("case", CASES)])
def test_variants_differ_in_their_words_only(
    plain: cm.Crm, own: cm.Crm, process: str, words: dict[str, str]
) -> None:
    def translated(variant: str) -> str:
        steps = variant.split(SEPARATOR)
        return SEPARATOR.join(
            f"{kind}: {words[value]}" if value in words else step
            for step in steps
            for kind, _, value in [step.partition(": ")]
        )

    variants = plain.event_log(process).variants()
    said = {translated(variant): cases for variant, cases in variants.select("variant", "cases").iter_rows()}
    theirs = own.event_log(process).variants()
    assert dict(theirs.select("variant", "cases").iter_rows()) == said


def test_a_custom_history_field_is_an_activity_and_a_kpi(own: cm.Crm) -> None:
    log = own.event_log("opportunity")
    changed = log.events.filter(pl.col("activity").cast(pl.String) == "Change: Discount__c")
    assert changed.select("source_table", "source_id", "old_value", "new_value").rows() == [
        ("OpportunityFieldHistory", "0175e0039999999AAA", None, "10")
    ]
    assert log.facts["discounted_n"].sum() == 1
    rows = own.scorecard("opportunity", kpis=["discounted_share"])
    decided = log.cases.filter(pl.col("outcome").is_in(["won", "lost"]))
    first = log.cases.sort("case_id").row(0, named=True)
    hits = int(first["outcome"] in ("won", "lost"))
    assert rows["value"].to_list() == [hits / decided.height]


def test_a_custom_object_tells_an_activity_and_its_rows_are_accounted_for(own: cm.Crm) -> None:
    log = own.event_log("opportunity")
    visits = log.events.filter(pl.col("activity").cast(pl.String) == "Visit Site")
    assert visits["source_id"].to_list() == ["a005e0000000001AAA"]
    account = log.quality.filter(pl.col("table") == "opportunity: Site_Visit__c")
    assert account.select("disposition", "reason", "rows").rows() == [
        ("used", None, 1),
        ("filtered", "deleted", 1),
    ]
    visited = own.scorecard("opportunity", by=["sales_region@now"], kpis=["time_to_first_visit"])
    median = visited.filter(part="median", clock="calendar")
    assert median.select("sales_region@now", "n", "value").rows() == [("Nord", 1, 3600.0), ("Süd", 0, None)]


def test_custom_columns_are_segments(own: cm.Crm) -> None:
    rows = own.scorecard("opportunity", by=["sales_region"], kpis=["opportunities_created"])
    assert rows["sales_region"].to_list() == ["Nord", "Süd"]
    cases = own.scorecard("case", by=["support_queue"], kpis=["cases_created"])
    assert cases["support_queue"].to_list() == ["Hotline"]
