"""Which layers are squashed: ranges of positions, from what users call them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lamella.errors import Ambiguous, UnknownLayer, UsageError
from lamella.image import Image

__all__ = [
    "AUTO",
    "Selection",
    "is_layer_name",
    "is_number",
    "position_of",
    "select",
    "select_above_image",
]

AUTO = "auto"
"""Stands for the base of the image, whatever that is; an image of that name is ``auto:latest``."""
_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
_SHORTEST_PREFIX = 4
_NUMBER = re.compile(r"#\d+|\d{1,3}")
"""What can be no ID: it would be too short."""


@dataclass(frozen=True)
class Selection:
    """Ranges of layers to squash, each into one; positions from 0, ends excluded, in order."""

    ranges: tuple[range, ...]
    base_steps: int | None = None
    """How many history entries belong to the base, where that is known exactly."""
    alone: bool = False
    """A range of one layer counts, too: something in it may have to be another thing."""

    def __post_init__(self) -> None:
        """Check that the ranges are in order and apart."""
        for before, after in zip(self.ranges, self.ranges[1:], strict=False):
            if after.start < before.stop:
                raise UsageError(f"ranges {_show(before)} and {_show(after)} overlap")

    @property
    def squashing(self) -> tuple[range, ...]:
        """The ranges that have something to squash: more than one layer, or one to be edited."""
        return tuple(r for r in self.ranges if len(r) > (0 if self.alone else 1))


def _show(positions: range) -> str:
    return f"{positions.start + 1}-{positions.stop}"


def select(
    image: Image,
    *,
    above: str | None = None,
    last: int | None = None,
    layers: Iterable[str] = (),
) -> Selection:
    """Find the layers to squash; without any choice, all.

    Args:
        image: the image.
        above: a layer's name (see `position_of`); everything above it is squashed.
        last: so many of the newest layers that have content.
        layers: ranges ``A-B``, from 1.

    Raises:
        UsageError: a choice that makes no sense for this image.
        UnknownLayer: `above` names no layer.
    """
    layers = tuple(layers)
    count = len(image.layers)
    if above is not None:
        return Selection((range(position_of(image, above) + 1, count),))
    if last is not None:
        return Selection((_newest(image, last),))
    if layers:
        found = sorted((_parse_range(text, image) for text in layers), key=lambda r: r.start)
        return Selection(tuple(found))
    return Selection((range(count),), base_steps=0)


def select_above_image(image: Image, base: Image) -> Selection:
    """Squash everything above another image, whose layers must be the image's first ones.

    Raises:
        UsageError: they aren't; the message says how many they share, and offers that layer.
    """
    if not base.is_prefix_of(image):
        shared = _shared(image, base)
        way_out = f"; try `base` {shared}" if shared else ""
        raise UsageError(
            f"{image.name} is not built on {base.name}: "
            f"they share {shared} of its {len(base.diff_ids)} layers{way_out}"
        )
    history = base.config.history or ()
    mine = image.config.history or ()
    base_steps = len(history) if _same_steps(history, mine) else None
    return Selection((range(len(base.diff_ids), len(image.layers)),), base_steps)


def _same_steps(base: Sequence[object], image: Sequence[object]) -> bool:
    return bool(base) and tuple(image[: len(base)]) == tuple(base)


def _shared(image: Image, base: Image) -> int:
    pairs = zip(image.diff_ids, base.diff_ids, strict=False)
    return next(
        (i for i, (a, b) in enumerate(pairs) if a != b),
        min(len(image.diff_ids), len(base.diff_ids)),
    )


def _newest(image: Image, last: int) -> range:
    count = len(image.layers)
    if not 1 <= last <= count:
        raise UsageError(f"`last` {last}: expected 1 to {count}, the layers of {image.name}")
    return range(count - last, count)


def _parse_range(text: str, image: Image) -> range:
    count = len(image.layers)
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)):
        raise UsageError(f"`layers` {text!r}: expected A-B, as `lamella layers` numbers them")
    a, b = int(first), int(last or first)
    if 1 <= b < a <= count:
        raise UsageError(f"`layers` {text} runs backwards; did you mean {b}-{a}?")
    if not 1 <= a <= b <= count:
        raise UsageError(f"`layers` {text}: expected 1 to {count}, the layers of {image.name}")
    return range(a - 1, b)


def is_number(name: str) -> bool:
    """Whether a name stands for a layer by its number, and for nothing else."""
    return bool(_NUMBER.fullmatch(name))


def is_layer_name(name: str) -> bool:
    """Whether a name may be that of a layer: its number, its ID, or the start of one."""
    return is_number(name) or bool(_HEX.fullmatch(name))


def position_of(image: Image, name: str) -> int:
    """Return the position of the layer that a name stands for.

    Args:
        image: the image.
        name: the number ``N``, from 1, or a history ID, chain ID, diff ID, the image's own ID, or a
            prefix of at least 4 hex digits that only one layer has. ``#N`` is read as ``N``, and is
            needed above 999, where ``N`` may be an ID; it is never printed.

    Raises:
        UnknownLayer: no layer has that name.
        Ambiguous: several have that prefix.
    """
    count = len(image.layers)
    if is_number(name):
        number = int(name.removeprefix("#"))
        if not 1 <= number <= count:
            raise UnknownLayer(f"no layer {number} in {image.name}", f"it has layers 1 to {count}")
        return number - 1
    match = _HEX.fullmatch(name)
    if not match:
        raise UnknownLayer(
            f"no layer {name!r} in {image.name}",
            f"a layer is a number (1 to {count}) or an ID (at least {_SHORTEST_PREFIX} hex digits)",
        )
    found = _matches(image, match[1])
    positions = {position for _, position in found}
    if len(positions) == 1:
        return positions.pop()
    if not positions:
        raise UnknownLayer(
            f"no layer {name!r} in {image.name}",
            "no layer has such an ID; `lamella layers` lists them",
        )
    candidates = ", ".join(f"{p + 1} ({i[:19]})" for i, p in sorted(found, key=lambda x: x[1]))
    raise Ambiguous(f"{name!r} is ambiguous in {image.name}: layers {candidates}")


def _matches(image: Image, prefix: str) -> set[tuple[str, int]]:
    known: list[tuple[str, int]] = []
    for position, (diff_id, chain_id) in enumerate(
        zip(image.diff_ids, image.chain_ids, strict=True)
    ):
        known += [(chain_id.hex, position), (diff_id.hex, position)]
    known += _history_matches(image)
    known.append((image.id.hex, len(image.layers) - 1))
    exact = {(i, p) for i, p in known if i == prefix}
    return exact or {(i, p) for i, p in known if i.startswith(prefix)}


def _history_matches(image: Image) -> list[tuple[str, int]]:
    """IDs of intermediate images: each stands for the stack of layers made up to that entry."""
    known: list[tuple[str, int]] = []
    steps = image.steps() or []
    if len(image.history_ids) != len(steps):
        return known
    for step, history_id in zip(steps, image.history_ids, strict=True):
        if history_id and step.top >= 0:
            known.append((history_id.removeprefix("sha256:"), step.top))
    return known
