"""Two images side by side: as text, as JSON, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lamella.analysis.compare import Comparison, Extra
from lamella.analysis.grade import RULE, grade
from lamella.analysis.model import Analysis
from lamella.report import analyze
from lamella.report.drawing import Paint, cut, cut_front, plain
from lamella.report.html import fill_page
from lamella.report.page_parts import titles_of
from lamella.report.text import count_of, human_size, percent, printable
from lamella.tar.entry import path_text

__all__ = ["WIDTH", "page", "screen", "to_json"]

FORMAT_VERSION = 1
WIDTH = 80
_PATHS, _COLUMN = 6, 20


def rows(found: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """Yield what is compared: its name, both values, the difference."""
    a, b = found.a, found.b
    for name, ours, theirs in (
        ("All layers", a.total, b.total),
        ("Live", a.live_bytes, b.live_bytes),
        ("Dead", a.dead_bytes, b.dead_bytes),
    ):
        yield name, human_size(ours), human_size(theirs), _difference(theirs - ours)
    shares = [percent(one.dead_bytes, one.total) for one in (a, b)]
    yield "Dead share", shares[0], shares[1], ""
    counts = len(a.layers), len(b.layers)
    yield "Layers", str(counts[0]), str(counts[1]), f"{counts[1] - counts[0]:+}"
    yield "Secrets", _secrets(a), _secrets(b), ""
    yield "Grade", grade(a).letter, grade(b).letter, ""


def _secrets(analysis: Analysis) -> str:
    return "not looked for" if analysis.secrets is None else str(len(analysis.secrets) or "none")


def _difference(size: int) -> str:
    return "same" if not size else f"{'+' if size > 0 else '-'}{human_size(abs(size))}"


# -- the screen


def screen(found: Comparison, paint: Paint = plain, width: int = WIDTH) -> list[str]:
    """Return both images on one screen; what has no room in its columns is cut off."""
    names = [cut_front(printable(one.reference), _COLUMN) for one in (found.a, found.b)]
    lines = [paint("title", f"  {'':<12}{names[0]:>{_COLUMN}}  {names[1]:>{_COLUMN}}")]
    for name, ours, theirs, change in rows(found):
        line = f"  {name:<12}{ours:>{_COLUMN}}  {theirs:>{_COLUMN}}  {change:>12}"
        lines.append(line.rstrip())
    lines += ["", _same(found)]
    for image, extras, size in (
        (found.a, found.only_a, found.only_a_bytes),
        (found.b, found.only_b, found.only_b_bytes),
    ):
        title = f"only in {printable(image.reference)}: {human_size(size) if extras else 'nothing'}"
        lines += ["", paint("title", cut(title, width)), *_extras(extras, width)]
    return [*lines, "", *_changed(found, paint, width)]


def _same(found: Comparison) -> str:
    if not found.same_layers:
        return "no layer is the same"
    size = human_size(found.same_bytes)
    if found.same_layers == 1:
        return f"the lowest layer is the same: {size}"
    return f"the lowest {found.same_layers} layers are the same: {size}"


def _extras(extras: Sequence[Extra], width: int) -> Iterator[str]:
    for extra in extras[:_PATHS]:
        more = f"  ({extra.entries} entries)" if extra.directory else ""
        start = f"  {human_size(extra.size):>8}  "
        yield start + cut_front(_path(extra), width - len(start) - len(more)) + more
    yield from _rest(len(extras))


def _changed(found: Comparison, paint: Paint, width: int) -> Iterator[str]:
    if not found.changed:
        yield "files that both have are of the same size"
        return
    count = count_of(found.changed_count, "file")
    yield paint("title", f"differ in size: {count}, {_difference(found.changed_bytes)}")
    for one in found.changed[:_PATHS]:
        start = f"  {human_size(one.before):>8} → {human_size(one.after):<8}  "
        yield start + cut_front(f"/{printable(path_text(one.path))}", width - len(start))
    yield from _rest(len(found.changed))


def _rest(count: int) -> Iterator[str]:
    if count > _PATHS:
        yield f"  … {count - _PATHS} more; --json lists more"


def _path(extra: Extra) -> str:
    return printable(f"/{path_text(extra.path)}{'/' if extra.directory else ''}")


# -- the page


def page(found: Comparison) -> str:
    """Return both images as a page. The same comparison gives the same page."""
    names = titles_of(found.a, found.b)
    sides = [
        (found.a, names[0], found.only_a, found.only_a_bytes),
        (found.b, names[1], found.only_b, found.only_b_bytes),
    ]
    return fill_page(
        "compare.html",
        found=found,
        grades=[grade(found.a), grade(found.b)],
        rows=list(rows(found)),
        rule=RULE,
        same=_same(found),
        scale=max(found.a.total, found.b.total),
        largest=max((x.size for side in (found.a, found.b) for x in side.layers), default=0),
        sides=sides,
    )


# -- JSON


def to_json(found: Comparison) -> dict[str, Any]:
    """Return the document of ``lamella analyze --compare --json`` (see docs/json.md)."""
    return {
        "version": FORMAT_VERSION,
        "a": analyze.to_json(found.a),
        "b": analyze.to_json(found.b),
        "same_layers": {"count": found.same_layers, "bytes": found.same_bytes},
        "only_a": _extras_to_json(found.only_a, found.only_a_bytes),
        "only_b": _extras_to_json(found.only_b, found.only_b_bytes),
        "changed": {
            "count": found.changed_count,
            "bytes": found.changed_bytes,
            "paths": [
                {"path": path_text(one.path), "before": one.before, "after": one.after}
                for one in found.changed
            ],
        },
    }


def _extras_to_json(extras: Sequence[Extra], size: int) -> dict[str, Any]:
    return {
        "bytes": size,
        "paths": [
            {
                "path": path_text(extra.path),
                "directory": extra.directory,
                "bytes": extra.size,
                "entries": extra.entries,
            }
            for extra in extras
        ],
    }
