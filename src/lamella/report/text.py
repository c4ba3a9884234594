"""Facts as text for people: sizes, names, the summary of a squash."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lamella.tar.entry import path_text

if TYPE_CHECKING:
    from lamella.fleet.task import Outcome
    from lamella.merge.causes import Dropped
    from lamella.operations.result import Result

__all__ = [
    "causes_text",
    "count_of",
    "fields_text",
    "human_size",
    "one_line",
    "percent",
    "plan_lines",
    "printable",
    "summary",
]

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000
_SHOWN = 10
_NAMED = 5
"""Fields in one line."""
_LABEL = 9
_TIE = "\u00a0"
_BLANKS = re.compile(r"[ \t\r\n]+")
_NUMBER = re.compile(r"\d (?=[kMGTP]?B\b|%|layers?\b|s\b)")


def human_size(size: int) -> str:
    """Return a size in decimal units with three digits, as Docker shows it: ``1.23 GB``."""
    amount, unit = float(size), 0
    while abs(amount) >= _STEP - 0.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    digits = 0 if unit == 0 or abs(amount) >= 99.95 else 1 if abs(amount) >= 9.995 else 2  # noqa: PLR2004 - three digits
    return f"{amount:.{digits}f} {_UNITS[unit]}"


def count_of(count: int, noun: str) -> str:
    """Return a number of things in words: ``1 layer``, ``2 layers``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """Return text that takes one line and does nothing to a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """Return a command as one such line: its tabs and line ends become blanks."""
    return printable(_BLANKS.sub(" ", text.strip()))


def percent(part: int, total: int) -> str:
    """Return a part of something in per cent: ``51.4 %``."""
    return f"{100 * part / total if total else 0:.1f} %"


def causes_text(dropped: Dropped) -> str:
    """Say why how many bytes are gone: ``deleted 7.35 MB, duplicate 16.4 kB``."""
    sizes = dropped.by_cause().items()
    return ", ".join(f"{cause.words} {human_size(size)}" for cause, size in sizes if size)


def summary(result: Result, width: int | None = None) -> list[str]:
    """Return what a person sees last.

    Args:
        result: of a squash.
        width: columns; longer lines are broken between words, but in no number; None: none is.
    """
    if result.platforms:
        lines = [line for one in result.platforms for line in _head_and_rows(one)]
        lines += _changed(result)
    else:
        lines = _head_and_rows(result)
    return [part for line in (*lines, _outcome(result)) for part in _broken(printable(line), width)]


def _broken(line: str, width: int | None) -> list[str]:
    if width is None or len(line) <= width:
        return [line]
    whole = _NUMBER.sub(lambda number: number[0].replace(" ", _TIE), line)
    indent = " " * (_LABEL + 1)
    parts = textwrap.wrap(
        whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [part.replace(_TIE, " ") for part in parts]


def _head_and_rows(result: Result) -> list[str]:
    head = f"{result.source}  {_layers(result.layers_before)}, {human_size(result.bytes_before)}"
    return [head, *_rows(result)]


def _layers(count: int) -> str:
    return count_of(count, "layer")


def _rows(result: Result) -> Iterator[str]:
    if result.kept:
        shared = f"   (shared with {result.kept_name})" if result.kept_name else ""
        count, size = _layers(result.kept), human_size(result.kept_bytes)
        yield f"{'kept':<{_LABEL}} {count:<9} {size:>8}{shared}"
    for squashed in result.ranges:
        ranges = f"{squashed.last - squashed.first + 1} → {len(squashed.layers) or 1}"
        before, after = human_size(squashed.bytes_before), human_size(squashed.bytes_after)
        which = f"   layers {squashed.first}-{squashed.last}" if len(result.ranges) > 1 else ""
        yield f"{'squashed':<{_LABEL}} {ranges:<9} {before:>8} → {after}{which}"
    if result.ranges:
        yield _saved(result)
    spliced = sum(squashed.spliced for squashed in result.ranges)
    if spliced:
        anew = human_size(sum(squashed.recompressed for squashed in result.ranges))
        yield f"{'spliced':<{_LABEL}} {human_size(spliced)}; compressed anew: {anew}"
    if result.converted:
        yield f"converted {result.converted}"
    if not result.ranges:
        yield f"nothing to squash: {result.reason}"
    yield from _changed(result)


def _changed(result: Result) -> Iterator[str]:
    if fields := fields_text(result):
        yield f"{'changed':<{_LABEL}} {fields}"


def fields_text(made: Result | Outcome) -> str:
    """Name the fields that are changed, as many as a line takes; empty if none is."""
    names = [printable(change.field or "config") for change in made.config_changes]
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _saved(result: Result) -> str:
    """What was gained, and why."""
    saved = result.bytes_before - result.bytes_after
    causes = causes_text(result.dropped)
    reasons = f": {causes}" if causes else ""
    word = "saved" if saved >= 0 else "added"
    part = percent(abs(saved), result.bytes_before)
    return f"{word:<{_LABEL}} {human_size(abs(saved))} ({part}){reasons}"


def _outcome(result: Result) -> str:
    name = ", ".join(result.tags) or ("dry run" if result.dry_run else _unnamed(result))
    several = f"{len(result.platforms)} platforms, " if result.platforms else ""
    size = f"{several}{_layers(result.layers_after)}, {human_size(result.bytes_after)}"
    proof = "  verified" if result.verified else ""
    if result.dry_run:
        return f"{name}  {size}   nothing was written"
    # The digest of the manifest, where there is one: others than lamella know the image by that.
    short = f"{'digest' if result.digest else 'image ID'} {(result.digest or result.id)[:15]}…"
    return f"{name}  {size}   {short}  {result.seconds.get('total', 0):.1f} s{proof}"


def _unnamed(result: Result) -> str:
    """Return where an image without a name is; a registry knows it by its digest alone."""
    repository, at, _ = result.reference.partition("@")
    return f"{repository} (no tag)" if at else result.destination


def plan_lines(result: Result) -> list[str]:
    """Return what a dry run tells beyond the summary: kept deletions and moved hard links."""
    lines: list[str] = []
    for one in result.platforms:
        lines += [f"{one.platform}: {line}" for line in plan_lines(one)]
    lines += _some("fields changed", [printable(str(one)) for one in result.config_changes])
    lines += _some("paths left out", [f"/{printable(path)}" for path in result.excluded])
    secrets = [f"/{printable(path_text(one.path))} ({one.kind})" for one in result.secrets]
    lines += _some("likely secrets among them", secrets)
    for squashed in result.ranges:
        if len(result.ranges) == 1:  # of several, the summary says which they are
            count = len(squashed.layers)
            made = f"{count} layers" if count > 1 else "one layer"
            lines.append(f"layers {squashed.first}-{squashed.last} become {made}")
        lines += _some(
            f"layers {squashed.first}-{squashed.last}: deletions kept (whiteouts)",
            [f"/{printable(path)} ({reason})" for path, reason in squashed.whiteouts],
        )
        lines += _some(
            f"layers {squashed.first}-{squashed.last}: files stored under another of their names",
            [f"/{printable(gone)} → /{printable(path)}" for gone, path in squashed.promoted],
        )
    return lines


def _some(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = [f"  … {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return [f"{title}: {len(items)}", *(f"  {item}" for item in items[:_SHOWN]), *more]
