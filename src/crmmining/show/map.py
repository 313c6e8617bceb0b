"""The process map: which activity follows which, how often and how fast."""

import heapq
import html
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from crmmining.show.layout import layout
from crmmining.show.units import count, duration, share

_START, _END = -1, -2  # beside the activities, which are numbered from 0
_COVERAGE = 0.9  # draw the most frequent paths until they make up this share of all steps ...
_FEWEST, _MOST, _PER_ACTIVITY = 20, 30, 1.75  # ... but as many paths as these: more, and no eye can follow
_MOST_ACTIVITIES = 60
_LINE, _LINES = 24, 3  # letters and lines of an activity's name inside its box
_SHADES = ("#f4f7fb", "#e3ecf7", "#cfdff2", "#b7d0ec", "#9dbfe5")
_GAP = "\u00a0\u00a0"
_UNPRINTABLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # parts of ordinary words and of emoji
_INK, _GREY = "#1c2733", "#66727f"


class _Edge(NamedTuple):
    source: int
    target: int
    n: int
    seconds: float | None


def process_map(nodes: pl.DataFrame, edges: pl.DataFrame, *, title: str) -> str:
    """Draw the directly-follows graph of a log as one SVG element; equal frames give equal bytes.

    nodes: activity str, n (events), cases, starts, ends (cases that begin, that end there) Int64, a row each.
    edges: source str, target str, n Int64, median_seconds f64 (null draws no time).
    Drawn are the 60 most frequent activities, for each a busy way from start and to end, then the most
    frequent paths up to 90 % of all steps, at least 20, at most 30 or 1.75 per activity; the caption says how
    much that is. Ties go by name. Names come out escaped; long ones are cut, the tooltip has them whole.
    Raises ValueError when an activity is listed twice or an edge names an activity that is not in nodes.

    >>> counts = {"n": [3, 2], "cases": [3, 2], "starts": [3, 0], "ends": [1, 2]}
    >>> nodes = pl.DataFrame({"activity": ["A", "B"], **counts})
    >>> edges = pl.DataFrame({"source": ["A"], "target": ["B"], "n": [2], "median_seconds": [86400.0]})
    >>> "A → B: 2 times, median 1 d" in process_map(nodes, edges, title="Leads").replace(chr(160), " ")
    True
    """
    nodes = nodes.with_columns(pl.col("activity").cast(pl.String)).sort(
        "n", "activity", descending=[True, False]
    )
    names: list[str] = nodes["activity"].to_list()
    numbers = {name: number for number, name in enumerate(names)}
    unknown = sorted({*edges["source"].to_list(), *edges["target"].to_list()} - numbers.keys())
    if len(numbers) < len(names) or unknown:
        raise ValueError(
            f"the map's activities must be unique and hold every edge's ends; unknown: {unknown}"
        )
    steps = edges.select("source", "target", "n", "median_seconds").iter_rows()
    paths = [_Edge(numbers[source], numbers[target], n, seconds) for source, target, n, seconds in steps]
    paths += [_Edge(_START, number, n, None) for number, n in enumerate(nodes["starts"]) if n]
    paths += [_Edge(number, _END, n, None) for number, n in enumerate(nodes["ends"]) if n]
    paths.sort(key=lambda path: (-path.n, path.source, path.target))
    drawn = _choose(len(names), paths)
    shown = sorted({*range(min(len(names), _MOST_ACTIVITIES)), *(e for p in drawn for e in p[:2] if e >= 0)})
    figures = nodes.select("activity", "n", "cases", "starts", "ends").iter_rows()
    tooltips = {
        _id(i): f"{name}: {count(n)} events, {count(cases)} cases, starts {count(starts)}, ends {count(ends)}"
        for i, (name, n, cases, starts, ends) in enumerate(figures)
    }
    tooltips |= {f"{_id(e.source)}->{_id(e.target)}": _describe(e, names) for e in drawn}
    tooltips |= {"start": "where cases start", "end": "where cases end (open cases: where they stand)"}
    dot = _dot(nodes, shown, drawn, _caption(len(shown), len(names), paths, drawn))
    return _finish(layout(dot), tooltips, title)


def _choose(activities: int, paths: list[_Edge]) -> list[_Edge]:
    """Pick the paths worth drawing: a skeleton that connects every activity, then the busiest."""
    forward = _grow(paths, _START)
    backward = _grow([_Edge(path.target, path.source, path.n, None) for path in paths], _END)
    shown = set(range(min(activities, _MOST_ACTIVITIES)))
    chosen: set[tuple[int, int]] = set()
    for activity in sorted(shown):
        chosen.update((before, after) for after, before in _walk(activity, forward))
        chosen.update(_walk(activity, backward))
    shown.update(end for pair in chosen for end in pair)
    total, covered = sum(path.n for path in paths), sum(path.n for path in paths if path[:2] in chosen)
    for path in paths:
        enough = covered >= _COVERAGE * total and len(chosen) >= _FEWEST
        if enough or len(chosen) >= max(_MOST, _PER_ACTIVITY * len(shown)):
            break
        if path[:2] not in chosen and shown.issuperset(path[:2]):
            chosen.add(path[:2])
            covered += path.n
    return [path for path in paths if path[:2] in chosen]


def _grow(paths: Iterable[_Edge], root: int) -> dict[int, int]:
    """Grow a tree from the root by the busiest path to something new; returns every node's predecessor.

    So each node is reached by the way whose rarest step is the most frequent one can have.
    """
    following: dict[int, list[_Edge]] = {}
    for path in paths:
        following.setdefault(path.source, []).append(path)
    before: dict[int, int] = {}
    heap = [(-path.n, path.target, root) for path in following.get(root, [])]
    heapq.heapify(heap)
    while heap:
        _, node, predecessor = heapq.heappop(heap)
        if node == root or node in before:
            continue
        before[node] = predecessor
        for path in following.get(node, []):
            heapq.heappush(heap, (-path.n, path.target, node))
    return before


def _walk(node: int, before: Mapping[int, int]) -> Iterable[tuple[int, int]]:
    while node in before:
        yield node, before[node]
        node = before[node]


def _caption(shown: int, activities: int, paths: list[_Edge], drawn: list[_Edge]) -> str:
    if not activities:
        return "No events to draw."
    covered = share(sum(path.n for path in drawn) / sum(path.n for path in paths)) if drawn else share(0)
    amount = f"{shown} of {activities} activities and {len(drawn)} of {len(paths)} paths"
    return f"{amount}: {covered} of all steps. Time on a path: median."


def _describe(edge: _Edge, names: list[str]) -> str:
    if edge.source == _START:
        return f"{count(edge.n)} cases start with {names[edge.target]}"
    if edge.target == _END:
        return f"{count(edge.n)} cases end with {names[edge.source]}"
    time = "" if edge.seconds is None else f", median {duration(edge.seconds)}"
    return f"{names[edge.source]} → {names[edge.target]}: {count(edge.n)} times{time}"


def _id(number: int) -> str:
    return {_START: "start", _END: "end"}.get(number, f"n{number}")


def _quote(text: str) -> str:
    r"""Write a DOT string that shows exactly this text.

    No escape sequence, entity, HTML label or end of string is left in it.


    >>> print(_quote('a "b" \\N <i> &amp;'))
    "a \"b\" \\N <i> &amp;amp;"
    """
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return '"' + plain.replace("\n", "\\n") + '"'


def _printable(text: str) -> str:
    """Turn control characters and direction marks into spaces: they break SVG or the text around them."""
    return "".join(
        " " if unicodedata.category(letter) in _UNPRINTABLE and letter not in _JOINERS else letter
        for letter in text
    )


def _wrap(name: str) -> str:
    lines = textwrap.wrap(_printable(name), _LINE, break_on_hyphens=False, max_lines=_LINES, placeholder="…")
    return "\n".join(lines) or "(blank)"


def _dot(nodes: pl.DataFrame, shown: list[int], drawn: list[_Edge], caption: str) -> str:
    most = max([1, *nodes["n"].to_list()])
    busiest = max([1, *(e.n for e in drawn)])
    lines = [
        "digraph {",
        f'graph [fontname="Arial", fontsize=12, fontcolor="{_GREY}", bgcolor="transparent"];',
        f"graph [rankdir=TB, nodesep=0.3, ranksep=0.35, labelloc=b, label={_quote(caption)}];",
        f'node [fontname="Arial", fontsize=13, fontcolor="{_INK}", color="#7d8ea3", height=0.4];',
        'node [shape=box, style="rounded,filled", margin="0.14,0.07"];',
        f'edge [fontname="Arial", fontsize=11, fontcolor="{_INK}", color="#5b7ea6", arrowsize=0.7];',
    ]
    if shown:
        plain = 'shape=ellipse, width=0.6, height=0.35, fillcolor="#ffffff", class="terminal"'
        lines.append(f'{{ rank=source; start [label="start", {plain}]; }}')
        lines.append(f'{{ rank=sink; end [label="end", peripheries=2, {plain}]; }}')
    for number in shown:
        name, n = nodes["activity"][number], nodes["n"][number]
        shade = min(len(_SHADES) - 1, len(_SHADES) * n // most)
        label = _quote(f"{_wrap(name)}\n{count(n)}")
        lines.append(f'n{number} [label={label}, fillcolor="{_SHADES[shade]}", class="shade{shade}"];')
    for edge in drawn:
        figures = [count(edge.n)] if edge.seconds is None else [count(edge.n), duration(edge.seconds)]
        label = "\n".join(f"{_GAP}{figure}{_GAP}" for figure in figures)  # clear of thick lines
        outer = ', style=dashed, color="#8a97a6", class="outer"' if min(edge.source, edge.target) < 0 else ""
        weight = 1 + 20 * edge.n // busiest
        lines.append(
            f"{_id(edge.source)} -> {_id(edge.target)} [label={_quote(label)},"
            f" penwidth={0.8 + 4.2 * (edge.n / busiest) ** 0.5:.2f}, weight={weight}{outer}];"
        )
    return "\n".join([*lines, "}"])


def _finish(svg: str, tooltips: Mapping[str, str], title: str) -> str:
    """Fit Graphviz' element into a page: named, with tooltips in place of node ids, no ids to collide."""

    def tooltip(found: re.Match[str]) -> str:
        text = tooltips.get(html.unescape(found[1]))
        return "" if text is None else f"<title>{html.escape(_printable(text))}</title>"

    head, body = svg.split(">", 1)
    width, box = re.search(r'width="(\d+)pt"', head), re.search(r'viewBox="([-0-9. ]+)"', head)
    if width is None or box is None:
        raise ValueError(f"Graphviz returned an SVG element of unknown form: {head}")
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"<title>([^<]*)</title>\n?", tooltip, body).replace(' xml:space="preserve"', "")
    name = html.escape(_printable(title))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="process-map" role="img" aria-label="{name}"'
        f' width="{width[1]}" viewBox="{box[1]}">{body.rstrip()}\n'
    )
