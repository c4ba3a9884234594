"""An image in an archive, a stream or a layout folder, as a source."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from lamella.errors import ImageError, ImageNotFound, MalformedImage, UsageError
from lamella.image import Image
from lamella.layer.spool import Spool
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index
from lamella.spec.platform import Platform
from lamella.transport.base import Source
from lamella.transport.file.docker_archive import MANIFEST, chains_in, read_image
from lamella.transport.file.name import FileName
from lamella.transport.file.oci_layout import (
    INDEX,
    FolderFiles,
    LayoutFiles,
    chains_of,
    find_index,
    is_there,
    read_artifact,
    read_entry,
    read_index,
    read_layout,
)
from lamella.transport.file.referrers import find_referrers
from lamella.transport.file.tarball import open_archive
from lamella.transport.index import Artifact, HasIndex, TaggedDescriptor
from lamella.transport.referrers import HasReferrers, Referrer

__all__ = ["FileSource"]

_OLDEST = "repositories"
"""What archives of Docker before 1.10 have."""
_MOST_OTHERS = 1000
"""Images of a file that are looked at to know what they share: all of them are for each image."""


class FileSource(HasIndex, HasReferrers):
    """An image in an archive, a stream or a layout folder."""

    home = None

    def __init__(
        self,
        location: FileName,
        spool: Spool,
        platform: Platform | None,
        stdin: BinaryIO | None,
    ) -> None:
        """Name a file; nothing is read yet. `stdin` is what ``-`` stands for."""
        self._location, self._spool, self._platform, self._stdin = location, spool, platform, stdin
        self._stack = ExitStack()
        self._opened: LayoutFiles | None = None
        self._image: Image | None = None

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def describe(self) -> Image:
        """Return the image; a file shows all of it."""
        if self._image is None:
            self._image = self.named(self._location.tag, self._platform)
        return self._image

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image; its layers are read where they lie."""
        del content, listed
        return self.describe()

    def beside(self, name: str) -> Image:
        """Return another image of the same file; a stream, too, is read only once."""
        return self.named(name, self._platform)

    def named(self, tag: str, platform: Platform | None) -> Image:
        """Return an image of the file.

        Raises:
            LamellaError: as `Source.describe`.
        """
        location = replace(self._location, tag=tag)
        files, name = self._files(), str(location)
        if self._is_layout(files):
            image = read_layout(files, tag, platform, name)
        else:
            image = read_image(files, tag, name)
        _check_platform(image, platform)
        return image

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Return the tags of the images in the file, by their layers."""
        found: dict[tuple[Digest, ...], list[str]] = {}
        files = self._files()
        with suppress(ImageError):  # of an image that nobody has asked for
            chains = chains_of(files) if self._is_layout(files) else chains_in(files)
            for chain, tags in islice(chains, _MOST_OTHERS):
                found.setdefault(chain, []).extend(tags)
        return {chain: sorted(set(tags)) for chain, tags in found.items()}

    def remove(self, *, new_tags: Sequence[str]) -> str:
        """Leave it: a file is not ours to remove."""
        del new_tags
        return "the source is a file; it is left alone"

    # -- an index and what it lists

    def index(self) -> Index | None:
        """Return the index that the reference stands for; None if it stands for one image."""
        files = self._files()
        return find_index(files, self._location.tag) if self._is_layout(files) else None

    def nested(self, descriptor: Descriptor) -> Index | None:
        """Return an index of the index; None if the layout hasn't got it."""
        return read_index(self._files(), descriptor)

    def image_of(self, descriptor: Descriptor) -> Source | None:
        """Return the source of one image of the index; None if the layout hasn't got it."""
        there = is_there(self._files(), descriptor)
        return _OneOfIndex(self, self._files(), self._location, descriptor) if there else None

    def artifact(self, descriptor: Descriptor) -> Artifact | None:
        """Return something of the index that is no image; None if the layout hasn't got it."""
        there = is_there(self._files(), descriptor)
        return read_artifact(self._files(), descriptor) if there else None

    def referrers(self, digest: Digest) -> list[Referrer]:
        """Return what is attached to a manifest or an index; in a docker-archive nothing is."""
        files = self._files()
        return find_referrers(files, digest) if self._is_layout(files) else []

    # -- reading

    def _is_layout(self, files: LayoutFiles) -> bool:
        if self._location.transport == "archive":
            return MANIFEST not in files and INDEX in files
        return self._location.transport in {"oci", "oci-archive"}

    def _files(self) -> LayoutFiles:
        if self._opened is None:
            try:
                self._opened = self._open()
            except FileNotFoundError as error:
                what = "folder" if self._location.transport == "oci" else "file"
                raise ImageNotFound(f"no {what} {self._location.path!r} here") from error
            except NotADirectoryError as error:
                other = f"docker-archive:{self._location.path}"
                message = f"expected an OCI image layout, got a file; try {other}"
                raise MalformedImage(self._location.path, message) from error
            except IsADirectoryError as error:
                message = f"expected an image archive, got a folder; try oci:{self._location.path}"
                raise MalformedImage(self._location.path, message) from error
            except OSError as error:
                message = f"can't read {self._location.path}: {error.strerror or error}"
                raise ImageError(message) from error
        return self._opened

    def _open(self) -> LayoutFiles:
        path = self._location.path
        if self._location.transport == "oci":
            os.listdir(path)  # noqa: PTH208 - tells why it can't be read
            return self._stack.enter_context(FolderFiles(Path(path)))
        file = self._stdin
        if not self._location.is_stream or file is None:
            file = self._stack.enter_context(Path(path).open("rb"))  # noqa: SIM115 - is a context
        archive = open_archive(file, path, self._spool, seekable=_is_regular(file))
        archive.check_image((MANIFEST, INDEX, _OLDEST))
        return archive


class _OneOfIndex(HasIndex, HasReferrers):
    """One image of an index in a layout; what is beside it is told by the whole."""

    home = None

    def __init__(
        self,
        whole: FileSource,
        files: LayoutFiles,
        location: FileName,
        descriptor: Descriptor,
    ) -> None:
        self._whole, self._files, self._location = whole, files, location
        self._descriptor = descriptor
        self._image: Image | None = None

    def describe(self) -> Image:
        """Return the image; a file shows all of it."""
        if self._image is None:
            platform = Platform.of(self._descriptor.platform)
            found = TaggedDescriptor(self._descriptor, self._location.tag)
            self._image = read_entry(self._files, found, f"{self._location} ({platform})")
        return self._image

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image; its layers are read where they lie."""
        del content, listed
        return self.describe()

    def beside(self, name: str) -> Image:
        """Return another image of the same file, for the same platform."""
        parts = self._descriptor.platform
        return self._whole.named(name, Platform.of(parts) if parts else None)

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Return those of the whole file."""
        return self._whole.tags_by_chain()

    def remove(self, *, new_tags: Sequence[str]) -> str:
        """Leave it, as the whole index."""
        return self._whole.remove(new_tags=new_tags)

    def referrers(self, digest: Digest) -> list[Referrer]:
        """Return what is attached to an image of the layout."""
        return self._whole.referrers(digest)

    def index(self) -> Index | None:
        """Return the index that the image is listed in."""
        return self._whole.index()

    def nested(self, descriptor: Descriptor) -> Index | None:
        """Return an index of the index."""
        return self._whole.nested(descriptor)

    def image_of(self, descriptor: Descriptor) -> Source | None:
        """Return the source of another image of the index."""
        return self._whole.image_of(descriptor)

    def artifact(self, descriptor: Descriptor) -> Artifact | None:
        """Return something of the index that is no image, or what is attached to an image."""
        return self._whole.artifact(descriptor)


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
