"""An image in an archive, a stream or a layout folder, as a source."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

from lamella.errors import ImageError, UsageError
from lamella.image import Image
from lamella.layer.spool import Spool
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index
from lamella.spec.platform import Platform
from lamella.transport.file.docker_archive import MANIFEST, read_image
from lamella.transport.file.oci_layout import (
    INDEX,
    FolderFiles,
    LayoutFiles,
    find_index,
    is_there,
    read_artifact,
    read_entry,
    read_index,
    read_layout,
)
from lamella.transport.file.tarball import open_archive
from lamella.transport.index import Artifact, Found
from lamella.transport.location import Location

__all__ = ["FileSource"]


class FileSource:
    """An image in an archive, a stream or a layout folder."""

    def __init__(
        self, location: Location, spool: Spool, platform: Platform | None, stdin: BinaryIO | None
    ) -> None:
        """Name a file; nothing is read yet. `stdin` is what ``-`` stands for."""
        self._location, self._spool, self._platform, self._stdin = location, spool, platform, stdin
        self._stack = ExitStack()
        self._chosen: Descriptor | None = None
        """Of an image that was chosen out of the index already."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._stack.close()

    def describe(self) -> Image:
        """Return the image; a file shows all of it."""
        return self._image

    def beside(self, tag: str) -> Image:
        """Return another image of the same file; a stream, too, is read only once."""
        return self._read(Location(self._location.transport, self._location.path, tag))

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Nothing: a file tells of the images in it alone."""
        return {}

    def remove(self, *, new_tags: Sequence[str]) -> str:
        """Leave it: a file is not ours to remove."""
        del new_tags
        return "the source is a file; it is left alone"

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image; its layers are read where they lie."""
        del content, listed
        return self.describe()

    @cached_property
    def _image(self) -> Image:
        return self._read(self._location, self._chosen)

    # -- an index and what it lists; see `transport.index.HasIndex`

    def index(self) -> Index | None:
        """Return the index that the reference stands for; None if it stands for one image."""
        return find_index(self._files, self._location.tag) if self._is_layout else None

    def nested(self, descriptor: Descriptor) -> Index | None:
        """Return an index of the index; None if the layout hasn't got it."""
        return read_index(self._files, descriptor)

    def image_of(self, descriptor: Descriptor) -> FileSource | None:
        """Return the source of one image of the index; None if the layout hasn't got it."""
        if not is_there(self._files, descriptor):
            return None
        platform = Platform.of(descriptor.platform) if descriptor.platform else None
        one = FileSource(self._location, self._spool, platform, self._stdin)
        one._files, one._chosen = self._files, descriptor
        return one

    def artifact(self, descriptor: Descriptor) -> Artifact | None:
        """Return something of the index that is no image; None if the layout hasn't got it."""
        there = is_there(self._files, descriptor)
        return read_artifact(self._files, descriptor) if there else None

    # -- reading

    @property
    def _is_layout(self) -> bool:
        if self._location.transport == "archive":
            return MANIFEST not in self._files and INDEX in self._files
        return self._location.transport in {"oci", "oci-archive"}

    def _read(self, location: Location, chosen: Descriptor | None = None) -> Image:
        files, name = self._files, str(location)
        if chosen is not None:
            platform = Platform.of(chosen.platform)
            return read_entry(files, Found(chosen, location.tag), f"{name} ({platform})")
        if self._is_layout:
            image = read_layout(files, location.tag, self._platform, name)
        else:
            image = read_image(files, location.tag, name)
        _check_platform(image, self._platform)
        return image

    @cached_property
    def _files(self) -> LayoutFiles:
        path = self._location.path
        try:
            if self._location.transport == "oci":
                os.listdir(path)  # noqa: PTH208 - tells why it can't be read
                return self._stack.enter_context(FolderFiles(Path(path)))
            file = self._stdin
            if path != "-" or file is None:
                file = self._stack.enter_context(Path(path).open("rb"))  # noqa: SIM115 - is a context
            return open_archive(file, path, self._spool, seekable=_is_regular(file))
        except OSError as error:
            message = f"can't read {path}: {error.strerror or error}"
            raise ImageError(message) from error


def _is_regular(file: BinaryIO) -> bool:
    """Whether a file can be read in place; a pipe can't, nor one that was read from already."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and file.tell() == 0
    except (OSError, ValueError):  # no file of the system's, but a stream in memory
        return False


def _check_platform(image: Image, wanted: Platform | None) -> None:
    """Hold the only image of a file against the platform that was asked for."""
    has = Platform.of(image.config.value)
    if wanted and has.os and has.architecture and not wanted.matches(image.config.value):
        message = f"{image.name} has no image for platform {wanted}; it is for {has}"
        raise UsageError(message)
