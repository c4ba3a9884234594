"""What an engine calls its images, and which name goes when one is removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lamella.spec.reference import Reference

__all__ = ["choose_removal", "docker_name", "podman_name", "tags_of"]


def tags_of(image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in an engine's description of an image."""
    return tuple(tag for tag in image.get("RepoTags") or () if "<none>" not in tag)


def docker_name(tag: str) -> str:
    """Return what Docker calls an image that is given this name.

    Raises:
        InvalidReference: it is no name for an image.
    """
    return Reference.parse_tag(tag).familiar


def podman_name(tag: str) -> str:
    """Return what Podman calls it: without a registry it is an image of this machine.

    Raises:
        InvalidReference: it is no name for an image.
    """
    reference = Reference.parse_tag(tag)
    if not reference.has_registry:
        return f"localhost/{reference}"
    head, _, rest = reference.name.partition("/")
    if head == "docker.io" and "/" not in rest:
        return f"docker.io/library/{rest}:{reference.tag}"
    return str(reference)


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
    own = "" if reference.digest else next((n for n in _spellings(name) if n in then), "")
    taken = {spelling for tag in new for spelling in (docker_name(tag), tag)}
    if not own:  # it was called by its ID
        if len(now) > 1:
            return None, f"{name} is kept: it has several names ({', '.join(now)})"
        own = now[0] if now else own
    if own in now:
        return (None, f"{name} is kept: it is the new image") if own in taken else (own, None)
    if now:
        return None, f"the old {name} is kept: it is also called {', '.join(now)}"
    return None, None


def _spellings(name: str) -> tuple[str, ...]:
    """How Docker shows a name, and how Podman does; a short one may be of either registry there."""
    found = (docker_name(name), podman_name(name))
    short = not Reference.parse_tag(name).has_registry
    return (*found, podman_name(f"docker.io/{name}")) if short else found
