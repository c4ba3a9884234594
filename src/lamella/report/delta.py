"""What a delta is, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

from lamella.operations.delta_result import DeltaResult
from lamella.report.text import count_of, human_size, percent, printable

__all__ = ["delta_lines"]

_LABEL = 9


def delta_lines(result: DeltaResult) -> list[str]:
    """Return what a person sees last."""
    return [printable(line) for line in _lines(result)]


def _lines(result: DeltaResult) -> Iterator[str]:
    for one in result.platforms:
        yield f"{one.platform}:"
        yield from _rows(one)
    if not result.platforms:
        yield from _rows(result)
    yield _outcome(result)


def _rows(result: DeltaResult) -> Iterator[str]:
    old_layers = result.layers - bool(result.delta_bytes)
    kept = f"{count_of(old_layers, 'layer'):<9} {human_size(result.old_bytes):>8}"
    yield f"{'kept':<{_LABEL}} {kept}   ({result.old})"
    if not result.delta_bytes:
        yield f"{'delta':<{_LABEL}} none: the files are the same"
    else:
        share = percent(result.delta_bytes, result.old_bytes)
        stored = f", stored as {human_size(result.stored)}" if result.stored else ""
        size = f"{'1 layer':<9} {human_size(result.delta_bytes):>8}"
        yield f"{'delta':<{_LABEL}} {size}   ({share} of {result.old}{stored})"
        yield f"{'':<{_LABEL}} {result.entries} entries, {len(result.whiteouts)} of them deletions"
    for word, count in result.ignored.items():
        yield f"{'ignored':<{_LABEL}} {count_of(count, 'difference')} in {word}"


def _outcome(result: DeltaResult) -> str:
    name = ", ".join(result.tags) or ("dry run" if result.dry_run else result.destination)
    several = f"{len(result.platforms)} platforms, " if result.platforms else ""
    head = f"{name}  {several}{count_of(result.layers, 'layer')}"
    if result.dry_run:
        return f"{head}   nothing was written"
    short = f"{'digest' if result.digest else 'image ID'} {(result.digest or result.id)[:15]}…"
    proof = "  verified" if result.verified else ""
    return f"{head}   {short}  {result.seconds.get('total', 0):.1f} s{proof}"
