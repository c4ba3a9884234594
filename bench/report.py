"""Results as tables, for the terminal and for docs/performance.md, and as a plot beside it."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import chart
from bench.goals import GOALS, Results

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- measured by `make bench`: begin -->", "<!-- measured by `make bench`: end -->"
PLOT = "plots/performance.svg"


def spread(values: Sequence[float]) -> str:
    """Median and range, as many digits as tell something."""
    if not any(values):
        return "0"
    middle = statistics.median(values)
    digits = max(0, 2 - math.floor(math.log10(abs(middle)))) if middle else 0
    digits = min(digits, 3)
    text = f"{middle:.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):.{digits}f}–{max(values):.{digits}f})"  # noqa: RUF001 - a range
    return text


def page(results: dict[str, Any]) -> str:
    """All of it, as Markdown."""
    return "\n".join([*_head(results), *_goals(Results(results)), *_cases(results)])


def _head(results: dict[str, Any]) -> Iterator[str]:
    programs = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    yield f"{results['date']}, {results['machine']}; {programs}."
    yield f"Medians of {results['rounds']} rounds in turn ({results['slow_rounds']} of slow peers),"
    size = "large" if results["full"] else "smaller"
    yield f"with the lowest and the highest. Beside slow peers: {size} images."
    yield ""


def _goals(results: Results) -> Iterator[str]:
    yield "| wanted | at | measured | |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        try:
            values = goal.measured(results)
        except LookupError:
            yield f"| {goal.text} | {goal.wanted} | not measured | |"
            continue
        verdict = "met" if goal.is_met(statistics.median(values)) else "**missed**"
        yield f"| {goal.text} | {goal.wanted} | {spread(values)} | {verdict} |"
    yield ""


def _cases(document: dict[str, Any]) -> Iterator[str]:
    for name, case in document["cases"].items():
        yield f"**{case['title']}** (`{name}`): {_facts(case['facts'])}"
        yield ""
        yield from _table(Results(document), name, case)
        yield ""
    for section, reason in document["missing"].items():
        yield f"Not measured: {section} ({reason})"
        yield ""


def _facts(facts: dict[str, Any]) -> str:
    if "entries" not in facts:
        return str(facts["image"])
    size = f"{facts['bytes'] / 1e6:,.0f} MB"
    return f"{facts['image']}; {facts['layers']} layers, {facts['entries']:,} entries, {size}"


def _table(results: Results, name: str, case: dict[str, Any]) -> Iterator[str]:
    ways = case["ways"]
    first = next(iter(ways), "")
    yield f"| | runs | s | times {first} | CPU s | peak MB | temp MB | read MB | written MB |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for way in ways:
        times = "1" if way == first else spread(results.times(name, way, first))
        columns = [way, str(len(ways[way])), spread(results.values(name, way)), times]
        columns.append(spread(results.values(name, way, "cpu")))
        for what in ("rss", "temp", "read", "written"):
            values = results.values(name, way, what)
            columns.append("" if None in values else f"{statistics.median(values) / 1e6:,.0f}")
        yield f"| {' | '.join(columns)} |"
    for way, reason in case["missing"].items():
        yield f"| {way} | 0 | {reason} | | | | | | |"


def write_docs(results: dict[str, Any]) -> None:
    """Write the tables between the markers of docs/performance.md, the plot, and all figures."""
    path = DOCS / "performance.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"docs/performance.md: wanted the markers {BEGIN} and {END}")
    text = f"{BEGIN}\n\n![seconds by case]({PLOT})\n\n{page(results)}\n{END}"
    (DOCS / PLOT).parent.mkdir(exist_ok=True)
    (DOCS / PLOT).write_text(chart.bars(_bars(results)), encoding="utf-8")
    (DOCS / "performance.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    path.write_text(before + text + after, encoding="utf-8")


def _bars(document: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """The cases for the plot: seconds of each way."""
    for name, case in document["cases"].items():
        if name in PLOTTED and case["ways"]:
            found = {way: Results(document).median(name, way) for way in case["ways"]}
            yield f"{case['title']}: {case['facts']['image']}", list(found.items())


PLOTTED = (
    *("archive", "archive-peers", "layout-peers", "docker-top", "docker-whole"),
    *("podman", "registry", "registry-peers"),
)
