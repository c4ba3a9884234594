"""What is remembered of layers from one run to the next: where, how much; and to forget it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lamella.errors import OutputError
from lamella.layer.partial.listings import ListingCache
from lamella.transport.environment import Environment

__all__ = ["Remembered", "forget", "remembered"]


_RANGES = "ranges-"
"""How files of `fleet.ranges` begin, which are kept beside those of layers."""


@dataclass(frozen=True)
class Remembered:
    """What is in the cache, a folder that may be deleted at any time."""

    folder: Path
    layers: int
    """How many layers it has the headers of."""
    images: int
    """How many images it has the sizes of all ranges of."""
    size: int
    """Bytes of all files."""


def remembered(env: Environment) -> Remembered | None:
    """Return what is remembered; None: nothing ever is, for no folder is named."""
    if env.registry.cache is None:
        return None
    cache = ListingCache(Path(env.registry.cache))
    sizes = cache.sizes()
    images = sum(path.name.startswith(_RANGES) for path in sizes)
    return Remembered(cache.folder, len(sizes) - images, images, sum(sizes.values()))


def forget(env: Environment) -> Remembered | None:
    """Forget it; return what it was.

    Raises:
        OutputError: a file can't be removed.
    """
    found = remembered(env)
    if found:
        try:
            ListingCache(found.folder).clear()
        except OSError as error:
            raise OutputError(f"can't remove {error.filename}: {error.strerror}") from error
        with suppress(OSError):  # there is more in it, or it is not there
            found.folder.parent.rmdir()
    return found
