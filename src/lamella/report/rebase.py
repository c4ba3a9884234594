"""What a rebase tells people: by severity and kind, a few places of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lamella.rebasing.conflicts import KINDS, Conflict, Severity
from lamella.report.text import count_of, printable

if TYPE_CHECKING:
    from lamella.operations.rebase_result import Rebase

__all__ = ["conflict_lines", "rebase_summary"]

_SHOWN = 5
_ORDER: tuple[Severity, ...] = ("error", "warning", "note")


def conflict_lines(result: Rebase, *, notes: bool = True) -> Iterator[str]:
    """Yield the report: each kind with a few of its places.

    Args:
        result: the rebase.
        notes: tell what is only worth knowing, too.
    """
    by_kind: dict[str, list[Conflict]] = {}
    for conflict in result.conflicts:
        by_kind.setdefault(conflict.kind, []).append(conflict)
    shown = _ORDER if notes else _ORDER[:-1]
    for severity in shown:
        for kind in KINDS:
            if kind in by_kind and KINDS[kind].severity == severity:
                yield f"{severity}: {KINDS[kind].about} ({kind})"
                yield from _places(by_kind[kind])


def _places(conflicts: list[Conflict]) -> Iterator[str]:
    for conflict in conflicts[:_SHOWN]:
        layer = "" if conflict.layer is None else f" (layer {conflict.layer})"
        detail = f": {conflict.detail}" if conflict.detail else ""
        yield printable(f"  {conflict.where}{layer}{detail}")
    if len(conflicts) > _SHOWN:
        yield f"  … {len(conflicts) - _SHOWN} more (--json shows all)"


def rebase_summary(result: Rebase) -> list[str]:
    """Return what was done in a few lines."""
    own = count_of(result.own_layers, "layer")
    counts = [count_of(result.count(one), one) for one in _ORDER if result.count(one)]
    lines = [
        printable(f"{result.source}: {own} over {result.new_base}"),
        f"  base    {result.old_layers} → {count_of(result.new_layers, 'layer')}",
        f"  report  {', '.join(counts) or 'nothing is otherwise'}",
    ]
    if not result.files:
        lines[-1] += " (of the config alone)"
    if result.converted:
        lines.append(f"  stored  {result.converted}")
    if not result.dry_run:
        names = ", ".join(result.tags) or result.destination
        lines.append(printable(f"  image   {names}"))
    return lines
