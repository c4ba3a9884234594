"""What a person should know of a squash before it is written: one line for each thing."""

from __future__ import annotations

from collections.abc import Iterable

from lamella.operations.planning import Edited
from lamella.progress import Progress
from lamella.tar.entry import path_text

__all__ = ["tell_edited"]

_SHOWN = 5


def tell_edited(edited: Edited, progress: Progress) -> None:
    """Say which patterns are of no use, and what ships all the same."""
    for pattern in edited.unused:
        progress.note(f"`exclude` {pattern}: no layer has such a path")
    for position, paths in edited.shipped.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        progress.note(
            f"`exclude`: layer {position + 1} is kept, and the bytes of its "
            f"/{path_text(paths[0])}{more} with it"
        )
    if edited.shipped:
        _tell_way_out("`exclude`", "these bytes", edited.shipped, progress)
    kept = edited.kept_secrets
    for secret in kept[:_SHOWN]:
        progress.note(
            f"`remove_secrets`: layer {secret.layer} is kept, and its /{path_text(secret.path)} "
            f"({secret.kind}) with it"
        )
    if len(kept) > _SHOWN:
        progress.note(f"`remove_secrets`: {len(kept) - _SHOWN} more secrets are in kept layers")
    if kept:
        layers = [secret.layer - 1 for secret in kept]
        _tell_way_out("`remove_secrets`", "them", layers, progress)


def _tell_way_out(option: str, what: str, positions: Iterable[int], progress: Progress) -> None:
    lowest = min(positions)
    way_out = f"`base` {lowest}" if lowest else "all layers"
    progress.note(f"{option}: to remove {what}, too, squash {way_out}")
