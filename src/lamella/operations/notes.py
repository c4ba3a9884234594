"""What a person should know of a squash before it is written: one line for each thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lamella.operations.planning import Edited
from lamella.progress import Progress
from lamella.tar.entry import path_text

__all__ = ["tell_edited"]

_SHOWN = 5


def tell_edited(edited: Edited, ranges: Sequence[range], progress: Progress) -> None:
    """Say which patterns are of no use, and what ships all the same.

    Args:
        edited: what came of the edits.
        ranges: positions of the layers that are squashed.
        progress: is told.
    """
    first = min((positions.start for positions in ranges), default=None)
    for pattern in edited.unused:
        progress.note(f"`exclude` {pattern}: no layer has such a path")
    for position, paths in edited.shipped.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        progress.note(
            f"`exclude`: layer {position + 1} is kept, and the bytes of its "
            f"/{path_text(paths[0])}{more} with it"
        )
    if edited.shipped:
        _tell_way_out("`exclude`", "these bytes", edited.shipped, first, progress)
    kept = edited.kept_secrets
    for secret in kept[:_SHOWN]:
        progress.note(
            f"`remove_secrets`: layer {secret.layer} is kept, and its /{path_text(secret.path)} "
            f"({secret.kind}) with it"
        )
    if len(kept) > _SHOWN:
        progress.note(f"`remove_secrets`: {len(kept) - _SHOWN} more in kept layers")
    if kept:
        layers = [secret.layer - 1 for secret in kept]
        _tell_way_out("`remove_secrets`", "them", layers, first, progress)


def _tell_way_out(
    option: str, what: str, positions: Iterable[int], first: int | None, progress: Progress
) -> None:
    """Say what to squash so that these layers go, too; `first` is the lowest that is squashed."""
    lowest = min(positions)
    lowest = lowest if first is None else min(lowest, first)
    way_out = f"`base` {lowest}" if lowest else "all layers"
    progress.note(f"{option}: to remove {what}, too, squash {way_out}")
