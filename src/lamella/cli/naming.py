"""What a squashed image may be called, for who has not said it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Suggestion", "suggest"]


class Suggestion(NamedTuple):
    """A new name for the result of a squash; one of both is empty."""

    tag: str = ""
    """In the place where the image is."""
    output: str = ""
    """Where it is no place to write to again."""


def suggest(image: str) -> Suggestion:
    """Return a name beside that of an image.

    Raises:
        LamellaError: it is no reference.
    """
    from lamella.transport.location import parse_location  # noqa: PLC0415 - completion needs it not

    location = parse_location(image)
    match location.transport:
        case "plain" | "docker-daemon" | "podman" | "docker":
            return Suggestion(tag=_slim(location.path))
        case "oci":
            return Suggestion(output=f"oci:{location.path}:slim")
        case _ if location.path == "-":
            return Suggestion(output="docker-archive:slim.tar")
        case kind:
            kind = kind if kind == "oci-archive" else "docker-archive"
            path = Path(location.path)
            stem = path.name.split(".", maxsplit=1)[0] or "image"
            return Suggestion(output=f"{kind}:{path.with_name(stem + '-slim.tar')}")


def _slim(name: str) -> str:
    """Return a name with another tag; what has none, or a digest, gets one."""
    name = name.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return f"{head if colon and '/' not in tag else name}:slim"
