"""Short ways to say what a merged layer contains."""

from __future__ import annotations

from tests.properties.reading import Read, read_tar
from tests.properties.reference import Row, flatten

__all__ = ["member", "names", "rows"]


def names(tar: bytes) -> list[str]:
    """List the names in a tar, in order, as written."""
    return [found.name.decode() for found in read_tar(tar)[0]]


def member(tar: bytes, path: str) -> Read:
    """Return the entry of a path."""
    (found,) = [m for m in read_tar(tar)[0] if m.path == path.encode()]
    return found


def rows(*tars: bytes) -> dict[str, Row]:
    """Return what a container of these layers sees."""
    return {path.decode(): row for path, row in flatten(tars).items()}
