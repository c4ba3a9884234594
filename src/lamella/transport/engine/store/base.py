"""What the stores whose layers are read in place share: see `docker`, `podman`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from lamella.errors import DigestMismatch
from lamella.image import Image
from lamella.layer.blob import Blob, FileRange, Layer
from lamella.layer.partial.headers import NotFetched
from lamella.layer.partial.listings import ListingCache
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.spec.config import Config
from lamella.spec.digest import Digest
from lamella.spec.json import check_size
from lamella.transport.engine.store.files_below import FilesBelow
from lamella.transport.engine.store.tar_split import ListedSplit, SplitLayer, read_split

__all__ = [
    "Disk",
    "Seen",
    "StoreSelection",
    "open_quietly",
    "read_small",
    "same_image",
    "split_layers",
]


Otherwise = Callable[[int, Exception], LayerTar]


@dataclass(frozen=True)
class StoreSelection:
    """What is to be read of an image."""

    content: frozenset[int]
    """Positions of layers that will be read as a whole."""
    listed: frozenset[int]
    """Positions of other layers, whose headers may be read."""
    otherwise: Otherwise
    """Gets the tar at a position in another way."""
    cache: ListingCache | None = None
    """Remembers what layers that are listed say."""


class Disk(Protocol):
    """One image in an engine's store."""

    metadata: list[bytes]
    """Manifests and indexes that were read."""

    def read(self, image: Image, wanted: StoreSelection) -> Image:
        """Return the image with layers that can be read.

        Args:
            image: as the engine describes it.
            wanted: of which layers what.

        Raises:
            OSError: the store can't be read.
            ImageError: it is not as expected.
        """

    def recheck(self) -> bool:
        """Whether all that was read from is still there."""


class Seen:
    """Files and folders that were relied on, so that they must stay the same ones."""

    def __init__(self) -> None:
        self._inodes: dict[Path, tuple[int, int]] = {}

    def add(self, path: Path) -> None:
        """Rely on a file or folder."""
        self._inodes[path] = _inode(path)

    def recheck(self) -> bool:
        """Whether all of them are still there."""
        try:
            return all(_inode(path) == inode for path, inode in self._inodes.items())
        except OSError:
            return False


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def open_quietly(path: Path) -> BinaryIO:
    """Open a file for reading, without a trace if that is allowed."""

    def opener(name: str, flags: int) -> int:
        try:
            return os.open(name, flags | getattr(os, "O_NOATIME", 0))
        except PermissionError:
            return os.open(name, flags)

    return open(path, "rb", buffering=0, opener=opener)


def read_small(path: Path, want: Digest | None = None) -> bytes:
    """Read a small file, and hold it against its digest if it has one."""
    with open_quietly(path) as file:
        found = FileRange.whole(file)
        check_size(found.size, str(path))
        raw = found.read_at(0, found.size)
    if want is not None and Digest.of(raw) != want:
        raise DigestMismatch(str(path), want, Digest.of(raw))
    return raw


def same_image(image: Image, raw: bytes) -> Config | None:
    """Return the config, if it is that of the image that the engine described."""
    config = Config.parse(raw, f"{image.name}: config")
    return config if config.diff_ids == image.diff_ids else None


def split_layers(
    image: Image, places: Sequence[tuple[SplitLayer, int]], wanted: StoreSelection, spool: Spool
) -> Image:
    """Return an image with those layers readable that are wanted, out of a store of split ones.

    Args:
        image: with the config that it has in the store.
        places: where each layer is, and about how many bytes its tar has.
        wanted: see `Disk.read`.
        spool: takes headers.

    Raises:
        OSError: a layer can't be read.
        ImageError: it is not as expected.
    """
    files = FilesBelow()
    layers: list[Layer] = []
    for position, ((place, size), layer) in enumerate(zip(places, image.layers, strict=True)):
        blob: Blob = NotFetched(layer.where, layer.blob.size)
        if position in wanted.content:
            blob = read_split(place, spool, files)
        elif position in wanted.listed:
            other = _ReadOtherwise(wanted.otherwise, position)
            blob = ListedSplit(place, files, spool, size, other, wanted.cache)
        proven = position not in wanted.content
        layers.append(Layer(place.diff_id, blob, layer.where, verified=proven))
    return replace(image, layers=tuple(layers))


@dataclass(frozen=True)
class _ReadOtherwise:
    """Gets one layer in another way."""

    get: Otherwise
    position: int

    def __call__(self, error: Exception) -> LayerTar:
        return self.get(self.position, error)
