"""The process map: right figures, connected, escaped, and the same bytes every time."""

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmmining.show.map import process_map

SVG = "{http://www.w3.org/2000/svg}"
NODES = {"activity": pl.String, "n": pl.Int64, "cases": pl.Int64, "starts": pl.Int64, "ends": pl.Int64}
EDGES = {"source": pl.String, "target": pl.String, "n": pl.Int64, "median_seconds": pl.Float64}


def nodes_of(*rows: tuple[str, int, int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NODES, orient="row")


def edges_of(*rows: tuple[str, str, int, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=EDGES, orient="row")


def parts(svg: str, kind: str) -> dict[str, list[str]]:
    """Tooltip -> lines of text, of every node or edge of the drawing."""
    groups = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if kind in (g.get("class") or "").split()]  # noqa: S314
    found = {}
    for group in groups:
        title = group.find(f"{SVG}title")
        assert title is not None
        found[title.text or ""] = [(text.text or "").strip("\u00a0") for text in group.iter(f"{SVG}text")]
    return found


def caption(svg: str) -> str:
    (text,) = ET.fromstring(svg).findall(f"{SVG}g/{SVG}text")  # noqa: S314
    return text.text or ""


LEADS = nodes_of(("Create", 10, 10, 10, 2), ("Work", 12, 8, 0, 3), ("Convert", 5, 5, 0, 5))
STEPS = edges_of(("Create", "Work", 8, 187_200.0), ("Work", "Work", 4, 90.0), ("Work", "Convert", 5, None))


def test_nodes_and_paths_show_their_counts_and_median_times() -> None:
    svg = process_map(LEADS, STEPS, title="Leads").replace("\u00a0", " ")
    assert parts(svg, "node") == {
        "where cases start": ["start"],
        "where cases end (open cases: where they stand)": ["end"],
        "Create: 10 events, 10 cases, starts 10, ends 2": ["Create", "10"],
        "Work: 12 events, 8 cases, starts 0, ends 3": ["Work", "12"],
        "Convert: 5 events, 5 cases, starts 0, ends 5": ["Convert", "5"],
    }
    edges = {tip: [line.strip() for line in lines] for tip, lines in parts(svg, "edge").items()}
    assert edges == {
        "10 cases start with Create": ["10"],
        "Create → Work: 8 times, median 2 d 4 h": ["8", "2 d 4 h"],
        "Work → Work: 4 times, median 1 m 30 s": ["4", "1 m 30 s"],
        "Work → Convert: 5 times": ["5"],
        "5 cases end with Convert": ["5"],
        "3 cases end with Work": ["3"],
        "2 cases end with Create": ["2"],
    }
    assert caption(svg) == "3 of 3 activities and 7 of 7 paths: 100 % of all steps. Time on a path: median."
    assert ET.fromstring(svg).get("aria-label") == "Leads"  # noqa: S314


def test_rare_paths_are_left_out_and_the_caption_says_so() -> None:
    often = [("Create", f"Work {i}", 100, 1.0) for i in range(20)]
    back = [(f"Work {i}", "Create", 100, 1.0) for i in range(20)]
    rare = [(f"Work {i}", f"Work {i}", 1, 1.0) for i in range(20)]
    work = [(f"Work {i}", 101, 100, 0, 0) for i in range(20)]
    nodes = nodes_of(("Create", 2100, 100, 100, 100), *work)
    svg = process_map(nodes, edges_of(*often, *back, *rare), title="Leads").replace("\u00a0", " ")
    # 2 + 40 paths of 100 cases each make up 4,200 of 4,220 steps
    assert (
        caption(svg) == "21 of 21 activities and 42 of 62 paths: 99.5 % of all steps. Time on a path: median."
    )
    assert not [tip for tip in parts(svg, "edge") if tip.startswith("Work 3 → Work 3:")]


def test_the_busier_a_path_and_an_activity_the_stronger_it_is_drawn() -> None:
    svg = process_map(LEADS, STEPS, title="Leads")
    root = ET.fromstring(svg)  # noqa: S314
    widths = {
        (g.findtext(f"{SVG}title") or ""): float(g.find(f"{SVG}path").get("stroke-width", "1"))  # type: ignore[union-attr]
        for g in root.iter(f"{SVG}g")
        if (g.get("class") or "").startswith("edge")
    }
    assert widths["10 cases start with Create"] == 5.0
    assert widths["2 cases end with Create"] == 2.68
    shades = {g.get("class") for g in root.iter(f"{SVG}g") if (g.get("class") or "").startswith("node shade")}
    assert shades == {"node shade4", "node shade2"}


def test_one_activity_and_none() -> None:
    one = process_map(nodes_of(("Create", 1, 1, 1, 1)), edges_of(), title="one")
    assert list(parts(one, "node").values()) == [["start"], ["Create", "1"], ["end"]]
    assert len(parts(one, "edge")) == 2
    nothing = process_map(nodes_of(), edges_of(), title="none")
    assert parts(nothing, "node") == {}
    assert caption(nothing) == "No events to draw."


def large(activities: int, paths: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    chance = random.Random(5)  # noqa: S311
    names = [f"Status: waiting for the answer of team {i}" for i in range(activities)]
    counts = {(i, i + 1): 4000 - 60 * i for i in range(activities - 1)}
    while len(counts) < paths:
        counts.setdefault(
            (chance.randrange(activities), chance.randrange(activities)), chance.randrange(1, 900)
        )
    edges = edges_of(*((names[a], names[b], n, 60.0 * n) for (a, b), n in counts.items()))
    into = [sum(n for (_, b), n in counts.items() if b == i) for i in range(activities)]
    starts = [4000] + [0] * (activities - 1)
    nodes = nodes_of(*((names[i], into[i] + starts[i], into[i] + 1, starts[i], 5) for i in range(activities)))
    return nodes, edges


def reachable(links: Iterable[tuple[str, str]], root: str) -> set[str]:
    pairs, seen, queue = list(links), {root}, [root]
    while queue:
        here = queue.pop()
        fresh = {b for a, b in pairs if a == here} - seen
        seen |= fresh
        queue += fresh
    return seen


@pytest.mark.parametrize(("activities", "paths", "most"), [(60, 300, 120), (60, 3000, 120), (90, 900, 160)])
def test_every_activity_of_a_large_map_lies_on_a_way_from_start_to_end(
    activities: int, paths: int, most: int
) -> None:
    nodes, edges = large(activities, paths)
    svg = process_map(nodes, edges, title="large")
    links = []
    for tip in parts(svg, "edge"):
        if " start with " in tip:
            links.append(("start", tip.split(" start with ")[1]))
        elif " end with " in tip:
            links.append((tip.split(" end with ")[1], "end"))
        else:
            source, target = tip.split(" → ")
            links.append((source, ":".join(target.split(":")[:2])))
    assert len(links) <= most
    shown = {tip[: tip.rindex(":")] for tip in parts(svg, "node") if "events" in tip}
    assert len(shown) >= 60
    assert shown <= reachable(links, "start")
    assert shown <= reachable([(b, a) for a, b in links], "end")


def test_the_same_frames_give_the_same_bytes_whatever_the_row_order_and_thread() -> None:
    nodes, edges = large(25, 120)
    expected = process_map(nodes, edges, title="same")
    shuffled = [
        (nodes.sample(fraction=1, shuffle=True, seed=i), edges.sample(fraction=1, shuffle=True, seed=i))
        for i in range(8)
    ]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda frames: process_map(*frames, title="same"), shuffled)) == {expected}


def test_long_names_are_cut_in_the_box_and_whole_in_the_tooltip() -> None:
    name = "Status: " + "waiting for the customer to answer " * 5 + "<end>"
    svg = process_map(nodes_of((name, 1, 1, 1, 1)), edges_of(), title="long")
    lines = parts(svg, "node")[f"{name}: 1 events, 1 cases, starts 1, ends 1"]
    assert lines == ["Status: waiting for the", "customer to answer", "waiting for the…", "1"]


@pytest.mark.parametrize(
    "name",
    [
        'a"]; evil [label="x',
        "back\\slash \\N \\G \\l",
        "<b>bold</b>",
        "<<table><tr><td>x</td></tr></table>>",
        "&lt;i&gt; &amp; &#60;",
        "<!-- comment -->",
        "]]>",
        "x; URL=javascript:alert(1)",
        "}",
        "é日本🙂",
    ],
)
def test_a_name_is_shown_exactly_and_never_read_as_a_drawing_instruction(name: str) -> None:
    svg = process_map(nodes_of((name, 2, 1, 1, 1)), edges_of((name, name, 1, 1.0)), title=name)
    shown = "".join(parts(svg, "node")[f"{name}: 2 events, 1 cases, starts 1, ends 1"])
    assert shown.replace(" ", "") == f"{name}2".replace(" ", "")
    assert f"{name} → {name}: 1 times, median 1\u00a0s" in parts(svg, "edge")
    assert ET.fromstring(svg).get("aria-label") == name  # noqa: S314


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4, unique=True))
def test_any_text_gives_a_well_formed_drawing_with_every_activity(names: list[str]) -> None:
    nodes = nodes_of(*((name, 1, 1, 1, 1) for name in names))
    root = ET.fromstring(process_map(nodes, edges_of(), title=names[0]))  # noqa: S314
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "g", "title", "text", "path", "polygon", "ellipse")
    }
    assert sum((g.get("class") or "").startswith("node shade") for g in root.iter(f"{SVG}g")) == len(names)


def test_frames_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown: \\['Nowhere'\\]"):
        process_map(LEADS, edges_of(("Create", "Nowhere", 1, None)), title="x")
    with pytest.raises(ValueError, match="must be unique"):
        process_map(pl.concat([LEADS, LEADS]), STEPS, title="x")
