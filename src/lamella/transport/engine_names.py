"""What an engine calls its images, and which name goes when one is removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lamella.spec.reference import Reference

__all__ = ["choose_removal", "tags_of"]


def tags_of(image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in an engine's description of an image."""
    return tuple(tag for tag in image.get("RepoTags") or () if "<none>" not in tag)


def choose_removal(
    name: str, then: Sequence[str], now: Sequence[str], new: Sequence[str]
) -> tuple[str | None, str | None]:
    """Choose what to remove so that one image goes, or one name of it.

    By ID an engine removes an image with its name, if that is the only one. So it is removed by ID
    only when it has none.

    Args:
        name: what the user called the image.
        then: its tags before the new image was made.
        now: its tags since.
        new: the new image's tags.

    Returns:
        The name to remove (None: the ID), and why nothing is to be removed.
    """
    reference = Reference.parse(name)
    own = "" if reference.digest else Reference.parse_tag(name).familiar
    taken = {Reference.parse_tag(tag).familiar for tag in new}
    if own not in then:  # it was called by its ID
        if len(now) > 1:
            return None, f"{name} is kept: it has several names ({', '.join(now)})"
        own = now[0] if now else own
    if own in now:
        return (None, f"{name} is kept: it is the new image") if own in taken else (own, None)
    if now:
        return None, f"the old {name} is kept: it is also called {', '.join(now)}"
    return None, None
