"""The report: the right figures, readable when empty, the same bytes every time, and deaf to hostile text."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import polars as pl
import pytest

from crmmining.show.map import process_map
from crmmining.show.report import ProcessPage, ReportPage, render
from crmmining.show.units import NOTHING

AS_OF = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
FIRSTS = [date(2026, month, 1) for month in (1, 2, 3, 4)]
SCORECARD = {
    **dict.fromkeys(("kpi", "process", "grain"), pl.String),
    **dict.fromkeys(("period_start", "period_end"), pl.Date),
    "part": pl.String,
    "clock": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    **dict.fromkeys(("n", "open", "excluded", "truncated"), pl.Int64),
    **dict.fromkeys(("low", "high"), pl.Float64),
    "basis": pl.String,
    "as_of": pl.Datetime("us", "UTC"),
    "definition": pl.String,
    "region": pl.String,
}
NODES = {"activity": pl.String, **dict.fromkeys(("n", "cases", "starts", "ends"), pl.Int64)}
EDGES = {"source": pl.String, "target": pl.String, "n": pl.Int64, "median_seconds": pl.Float64}
VARIANTS = {"variant": pl.String, "cases": pl.Int64, "share": pl.Float64, "cumulative": pl.Float64}
KPIS = dict.fromkeys(
    ("kpi", "process", "kind", "question", "formula", "unit", "better", "truncated"), pl.String
)
QUALITY = {**dict.fromkeys(("scope", "table", "disposition", "reason"), pl.String), "rows": pl.Int64}
FINDINGS = {
    "table": pl.String,
    "finding": pl.String,
    "rows": pl.Int64,
    "examples": pl.List(pl.String),
    "effect": pl.String,
    "done": pl.String,
}

Schema = dict[str, type[pl.DataType] | pl.DataType]
Say = Callable[[str], str]


def frame(rows: Sequence[tuple[object, ...]], schema: object) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")  # type: ignore[arg-type]


def months(kpi: str, part: str, unit: str, region: str, *figures: tuple[float | None, ...]) -> pl.DataFrame:
    """(value, n, open, excluded, truncated, low, high) of the months from January 2026."""
    rows = [
        (
            kpi,
            "lead",
            "month",
            FIRSTS[i],
            FIRSTS[i + 1],
            part,
            "calendar" if unit == "s" else None,
            value,
            unit,
            *rest,
            "created",
            AS_OF,
            "0ab1",
            region,
        )
        for i, (value, *rest) in enumerate(figures)
    ]
    return frame(rows, SCORECARD)


def a_page(say: Say = str) -> ReportPage:
    """A small report; `say` turns every text that a CRM, a file or a definition provides into another."""
    create, convert = say("Create"), say("Convert")
    nodes = frame([(create, 3, 3, 3, 1), (convert, 2, 2, 0, 2)], NODES)
    edges = frame([(create, convert, 2, 93_600.0)], EDGES)
    process = ProcessPage(
        name="lead",
        title=say("Lead management"),
        cases=3,
        events=5,
        open=1,
        variants=frame(
            [(say("Create > Convert"), 2, 2 / 3, 2 / 3), (say("Create only"), 1, 1 / 3, 1.0)], VARIANTS
        ),
        n_variants=2,
        map_svg=process_map(nodes, edges, title=say("Lead map")),
        off=[say("activity 'Touch': table Task is missing")],
    )
    emea = say("EMEA")
    scorecard = [
        months(
            *("conversion", say("rate"), "share", emea),
            (0.25, 80, 4, 1, 0, 0.17, 0.36),
            (0.5, 81, 9, 2, 1234, 0.39, 0.61),
            (0.0, 7, 7, 0, 0, 0.0, 0.35),
        ),
        months(
            "cycle",
            say("median"),
            "s",
            emea,
            (86_400.0, 20, 1, 0, 5, None, None),
            (187_200.0, 30, 2, 0, 0, None, None),
        ),
        months(
            "revenue",
            say("sum"),
            say("EUR"),
            emea,
            (500.0, 2, 0, 0, 0, None, None),
            (1234.5, 3, 0, 0, 0, None, None),
        ),
    ]
    kpis = [
        (
            "conversion",
            "lead",
            say("conv"),
            say("How many convert?"),
            say("converted / created"),
            "share",
            "higher",
            "exclude",
        ),
        *(
            (
                "cycle",
                "lead",
                say("duration"),
                say("How long?"),
                say("end minus start"),
                "s",
                "lower",
                "keep",
            ),
            ("revenue", "lead", say("value"), say("How much?"), say("sum"), "money", "higher", "keep"),
        ),
        (
            "back_again",
            "lead",
            say("rework"),
            say("How often back?"),
            say("recycled / created"),
            "share",
            "lower",
            "bound",
        ),
    ]
    history = say("LeadHistory")
    quality = [
        ("table", say("Lead"), "used", None, 997),
        ("table", history, "quarantined", say("no timestamp"), 2),
        ("table", say("User"), "filtered", say("identical copy"), 1),
        ("log", f"lead: {history}", "used", None, 40),
        ("log", f"lead: {history}", "filtered", say("is a mark"), 8),
        ("event", "lead events", "used", None, 30),
        ("event", "lead events", "filtered", say("after as_of"), 10),
    ]
    findings = [
        (say("Task"), say("column ignored"), 4, [say("005A"), say("005B")], say("too low"), say("kept")),
        (f"lead: {history}", say("broken chain"), 3, [say("017A")], say("a gap"), say("marked")),
        ("lead", say("ties"), 2, [], say("by convention"), say("ordered")),
        ("lead", say("copies"), 1, [], "none: counted once", say("left out")),
    ]
    return ReportPage(
        source=say("data/sample"),
        as_of=AS_OF,
        period="month",
        scorecard=pl.concat(scorecard),
        kpis=frame(kpis, KPIS),
        quality=frame(quality, QUALITY),
        findings=frame(findings, FINDINGS),
        processes=[process],
        version=say("0.1.0"),
    )


class Page(HTMLParser):
    """What a browser makes of the report: elements, attributes, and all text a reader can see."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def words(html: str) -> str:
    """All text of the page, white space collapsed, one blank between elements."""
    return " ".join(" ".join(Page(html).text).split())


def test_the_header_says_what_when_and_how_much() -> None:
    text = words(render(a_page()))
    assert "Process report: data/sample As of 2026-03-20 09:30 UTC" in text
    assert "Figures of 2026-02-01 to 2026-02-28 Trend by month Made by crmmining 0.1.0" in text
    assert "Lead management 3 cases 1 open, 5 events" in text


def test_trust_adds_up_and_names_every_reason() -> None:
    text = words(render(a_page()))
    assert "From the source to tables 99.7 % of 1,000 rows used, 2 quarantined, 1 filtered." in text
    assert "Lead 997 997 0 0 LeadHistory 2 0 2 0 2 quarantined: no timestamp User 1 0 0 1 1 filtered" in text
    assert "column ignored Task: 005A, 005B 4 too low kept" in text
    assert "Switched off Lead management activity 'Touch': table Task is missing" in text


def test_a_process_accounts_for_its_rows_from_the_source_to_its_events() -> None:
    text = words(render(a_page()))
    told = "Lead management 80.0 % of 50 rows tell an event of this process, 2 quarantined, 8 filtered."
    assert told in text
    assert "Of 40 events they tell 30 are in the log." in text
    assert "LeadHistory 50 40 2 8 2 quarantined: no timestamp 8 filtered: is a mark" in text
    assert "events 40 30 0 10 10 filtered: after as_of" in text


def test_findings_say_what_they_do_and_what_was_done_and_the_harmless_stand_apart() -> None:
    text = words(render(a_page()))
    bearing = "broken chain LeadHistory: 017A 3 a gap marked ties 2 by convention ordered"
    assert f"What was done {bearing} 1 that change no figure Finding Rows" in text
    assert "copies 1 none: counted once left out" in text


def test_the_scorecard_shows_values_with_their_denominators() -> None:
    text = words(render(a_page()))
    assert "Conversion definition Question How many convert? Formula converted / created" in text
    assert "1,234 left out EMEA, rate 50.0 % 3 periods since 2026-01-01, lowest 0 %, highest 50.0 %" in text
    assert "▲ 25 pp better 81 9 2 39.0 % to 61.0 %" in text
    assert "EMEA, median, calendar time 2 d 4 h" in text
    assert f"▲ 117 % 30 2 0 {NOTHING}" in text
    assert "EMEA, sum 1,234 EUR" in text
    assert "Back again definition" in text
    assert "no value: nothing to count, or switched off" in text


def test_truncated_cases_are_counted_in_words_where_there_are_any() -> None:
    text = words(render(a_page()))
    assert (
        "Kind conv, higher is better Truncated cases left out history not covered in full: 1,234 left out"
        in text
    )
    assert text.count("history not covered in full") == 1
    assert "Kind rework, lower is better Truncated cases counted: a lower bound" in text


def test_variants_show_share_and_coverage() -> None:
    html = render(a_page())
    assert "Create > Convert 2 66.7 % 66.7 % Create only 1 33.3 % 100 %" in words(html)
    assert '<rect class="part" width="66.67" height="8"/>' in html


def test_the_map_is_part_of_the_page() -> None:
    page = a_page()
    assert page.processes[0].map_svg in render(page)
    assert "Create → Convert: 2 times, median 1 d 2 h" in words(render(page))


def test_without_periods_the_values_are_of_all_time() -> None:
    page = a_page()
    january = page.scorecard.filter(pl.col("period_start") == FIRSTS[0])
    whole = january.with_columns(period_start=pl.lit(None, pl.Date), period_end=pl.lit(None, pl.Date))
    text = words(render(replace(page, scorecard=whole.drop("region"), period=None)))
    assert "Figures of all time Made by" in text
    assert "rate 25.0 % 80 4 1 17.0 % to 36.0 %" in text
    assert "Trend" not in text


def test_cases_that_have_no_date_yet_are_in_no_period() -> None:
    page = a_page()
    undated = page.scorecard.with_columns(
        period_start=pl.lit(None, pl.Date), period_end=pl.lit(None, pl.Date)
    )
    assert render(replace(page, scorecard=pl.concat([page.scorecard, undated]))) == render(page)
    text = words(render(replace(page, scorecard=undated)))
    assert "Figures of no month yet" in text
    assert text.count("no value: nothing to count, or switched off") == 4


def test_periods_end_in_the_time_zone_of_the_org() -> None:
    late = replace(a_page(), as_of=datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
    assert "As of 2026-02-28 23:30 UTC Figures of 2026-01-01 to 2026-01-31" in words(render(late))
    berlin = words(render(replace(late, time_zone="Europe/Berlin")))
    assert "As of 2026-03-01 00:30 Europe/Berlin Figures of 2026-02-01 to 2026-02-28" in berlin


def test_the_same_input_gives_the_same_bytes() -> None:
    assert render(a_page()) == render(a_page())


def test_nothing_in_gives_a_page_that_says_so() -> None:
    page = a_page()
    bare = replace(
        page.processes[0],
        variants=frame([], VARIANTS),
        n_variants=0,
        map_svg=process_map(frame([], NODES), frame([], EDGES), title="Leads"),
        off=[],
    )
    empty = replace(
        page,
        scorecard=page.scorecard.clear(),
        quality=frame([], QUALITY),
        findings=frame([], FINDINGS),
        processes=[bare],
    )
    text = words(render(empty))
    assert "No rows were read." in text
    assert "No variants: no case has an event." in text
    assert "No events to draw." in text
    assert text.count("no value: nothing to count, or switched off") == 4
    assert "No KPI is defined for this process." in words(render(replace(empty, kpis=frame([], KPIS))))
    assert "Process report" in words(render(replace(empty, kpis=frame([], KPIS), processes=[])))


def test_the_page_needs_no_network_and_runs_no_script() -> None:
    html = render(a_page())
    page = Page(html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.values("content")[0] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.elements)
    assert "url(" not in style
    assert "@import" not in style
    assert set(re.findall(r"https?://[^\s\"'<>]*", html)) == {"http://www.w3.org/2000/svg"}
    assert set(page.values("href")) == {"#process-1", "#trust"}
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {"process-1", "trust"} <= set(ids)


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "<!--<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert`1`>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=alert(1) `",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    '<a href="jav&#x09;ascript:alert(1)">x</a>',
    "data:text/html,<script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=https://evil.example/x.swf></object>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<form action=https://evil.example/><button>go</button></form>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<style>*{background:url(https://evil.example/)}</style>",
    '"]; evil [label="x", URL="javascript:alert(1)"',
    '\\" ]; x -> y [href="javascript:alert(1)"]; \\',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{ 7 * 7 }}{% include 'report.css' %}{{ page.version }}",
]  # fmt: skip


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(payload: str) -> None:
    said: list[str] = []

    def say(text: str) -> str:
        said.append(f"{payload} {len(said):03} {text}")
        return said[-1]

    harmless, html = Page(render(a_page(lambda text: f"{text} said"))), render(a_page(say))
    hostile = Page(html)
    del hostile.elements["text"], harmless.elements["text"]  # the map breaks names into lines
    assert hostile.elements == harmless.elements
    assert {(tag, name) for tag, name, _ in hostile.attributes} == {
        (tag, name) for tag, name, _ in harmless.attributes
    }
    assert not [
        name for _, name, _ in hostile.attributes if name.startswith("on") or name in {"style", "src"}
    ]
    assert set(hostile.values("href")) == {"#process-1", "#trust"}
    seen = "\n".join([*hostile.text, *hostile.values("aria-label")])
    assert len(said) == 48
    assert [text for text in said if text not in seen] == []


def test_figures_of_a_process_that_is_not_shown_are_refused() -> None:
    with pytest.raises(ValueError, match="no page: lead"):
        render(replace(a_page(), processes=[]))
    with pytest.raises(ValueError, match="needs a time zone"):
        render(replace(a_page(), as_of=AS_OF.replace(tzinfo=None)))
