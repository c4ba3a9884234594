"""Which layers of an image other images have, too."""

from __future__ import annotations

from collections.abc import Iterable

from lamella.image import Image
from lamella.spec.digest import Digest

__all__ = ["shared_layers"]


def shared_layers(image: Image, others: Iterable[tuple[Digest, ...]]) -> int:
    """Return how many of an image's lowest layers another image has, too.

    Args:
        image: the image.
        others: the diff_ids of all images of the place; the same image under another name counts
            for nothing.
    """
    mine = image.diff_ids
    return max((_common(mine, other) for other in others if other != mine), default=0)


def _common(one: tuple[Digest, ...], other: tuple[Digest, ...]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
