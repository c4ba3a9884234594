"""The base that is taken for an image's, as a value."""

from __future__ import annotations

from typing import NamedTuple

from lamella.analysis.known_base import Base, FoundBy
from lamella.image import Image

__all__ = ["TakenBase", "taken_base"]


class TakenBase(NamedTuple):
    """The base of an image."""

    base: Base
    image: Image | None = None
    """It, as its place describes it; None: no image is known, the layers are."""
    public_name: str = ""
    """What names it for everybody; see `Location.public_name`."""


def taken_base(image: Image, name: str, found_by: FoundBy, why: str, public_name: str) -> TakenBase:
    """Return what is known of an image that is a base.

    Args:
        image: the base.
        name: what it is called here.
        found_by: how it was found.
        why: what speaks for it, for people.
        public_name: see `Location.public_name`.
    """
    digest = image.index or (image.manifest.digest if image.manifest else "")
    base = Base(len(image.diff_ids), name, why, found_by, str(digest))
    return TakenBase(base, image, public_name)
