"""The layers of an image, each with what there is to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamella.image import Image
from lamella.spec.digest import Digest

__all__ = ["LayerLine", "layer_lines"]


@dataclass(frozen=True)
class LayerLine:
    """One layer, as it is listed."""

    number: int
    """From 1, base first: ``#N`` on the command line."""
    id: str
    """The ID of the image that ends with this layer, if the engine knows one, else the chain ID."""
    diff_id: Digest
    chain_id: Digest
    size: int
    """Bytes as stored."""
    command: str
    """What made it, as the history says; empty where there is no history."""
    tags: tuple[str, ...]
    dead: float | None = None
    """Which part of its bytes later layers take away, 0 to 1; None: that was not looked for."""


def layer_lines(
    image: Image, tags: Mapping[tuple[Digest, ...], Sequence[str]] | None = None
) -> list[LayerLine]:
    """List an image's layers.

    Args:
        image: the image.
        tags: local tags by the exact layers of the image they belong to.
    """
    commands, ids = _by_layer(image)
    known = dict(tags or {})
    known.setdefault(image.diff_ids, image.tags)
    lines = []
    for position, (layer, chain_id) in enumerate(zip(image.layers, image.chain_ids, strict=True)):
        here = known.get(image.diff_ids[: position + 1], ())
        lines.append(
            LayerLine(
                number=position + 1,
                id=ids.get(position, chain_id).removeprefix("sha256:"),
                diff_id=layer.diff_id,
                chain_id=chain_id,
                size=layer.blob.size,
                command=commands.get(position, ""),
                tags=tuple(sorted(here)),
            )
        )
    return lines


def _by_layer(image: Image) -> tuple[dict[int, str], dict[int, str]]:
    """What made each layer, and the ID of the image that ended with it."""
    commands: dict[int, str] = {}
    ids: dict[int, str] = {}
    steps = image.steps() or []
    history_ids = image.history_ids if len(image.history_ids) == len(steps) else [None] * len(steps)
    for step, history_id in zip(steps, history_ids, strict=True):
        if step.layer is not None:
            commands[step.layer] = str(step.entry.get("created_by") or "")
        if history_id and step.top >= 0:
            ids[step.top] = history_id
    return commands, ids
