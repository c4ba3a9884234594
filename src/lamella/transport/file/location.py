"""``docker-archive:``, ``oci-archive:`` and ``oci:``: archives, streams and layout folders."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lamella.errors import ImageNotFound, InvalidReference, UsageError
from lamella.spec.reference import Reference
from lamella.transport.file.name import FileFormat, FileName
from lamella.transport.location import Glimpse, Location, Suggestion, slim
from lamella.transport.patterns import is_pattern, matcher
from lamella.transport.registry.name import RegistryName

if TYPE_CHECKING:
    from lamella.image import Image
    from lamella.spec.platform import Platform
    from lamella.transport.base import Destination, Source
    from lamella.transport.environment import Environment

__all__ = [
    "FileLocation",
    "archives_in",
    "exists",
    "is_archive_name",
    "is_folder",
    "is_layout",
    "match_layout",
    "parse_file",
]

_INDEX = "index.json"
_LAYOUT_MARKS = ("oci-layout", _INDEX)
_ARCHIVE_NAME = re.compile(r".*\.(tar(\.(gz|zst|xz|bz2))?|tgz|oci)", re.IGNORECASE | re.DOTALL)
_ENDING = re.compile(r"\.(tar(\.\w+)?|tgz|oci)$")


@dataclass(frozen=True)
class FileLocation(FileName, Location):
    """A file, a stream or a layout folder."""

    @property
    def keeps_manifest(self) -> bool:
        """Whether it is a layout."""
        return self.transport in {"oci", "oci-archive"}

    def _source(self, platform: Platform | None, env: Environment) -> Source:
        self._need(env.stdin, "stdin")
        from lamella.transport.file.source import FileSource  # noqa: PLC0415 - others go elsewhere

        return FileSource(self, env.spool, platform, env.stdin)

    def _destination(self, env: Environment) -> AbstractContextManager[Destination]:
        self._need(env.stdout, "stdout")
        from lamella.transport.file.destination import (  # noqa: PLC0415 - as above
            open_file_destination,
        )

        return open_file_destination(self, env.spool, env.stdout)

    def _need(self, stream: BinaryIO | None, name: str) -> None:
        if self.is_stream and stream is None:
            raise UsageError(
                f"'{self}': `{name}` is closed or not given; expected a stream, or a file's name "
                "in place of -"
            )

    def identity(self) -> Hashable:
        """Return the file, whatever its format; of a layout folder also the tag."""
        path = os.path.realpath(self.path)
        return (path, self.tag) if self.transport == "oci" else path

    def look(self, env: Environment) -> Glimpse:
        """Look at an image; a layout folder that is only being created has none yet."""
        if self.transport == "oci" and not exists(f"{self.path}/{_INDEX}"):
            raise ImageNotFound(f"no image {self}: {self.path} is no layout yet")
        return super().look(env)

    def parts(self) -> Mapping[str, str]:
        """Return the file's name without its ending, and the tag."""
        name = Path(self.path).name
        return {"name": _ENDING.sub("", name), "tag": self.tag}

    def beside(self, name: str) -> FileLocation:
        """Return another image of the same file."""
        return replace(self, tag=name)

    def public_name(self, image: Image) -> str:
        """Return the tag in a docker-archive, as Docker means it; a layout's is no such name."""
        name = self.tag or next(iter(image.tags), "")
        try:
            return "" if image.manifest else str(RegistryName.parse_tag(name))
        except InvalidReference:  # `@N`, and names that Docker would not give
            return ""

    def home(self) -> FileLocation | None:
        """Return standard output for standard input; a file is not written to again."""
        return FileLocation("docker-archive", "-") if self.is_stream else None

    def named(self, tags: Sequence[str]) -> tuple[FileLocation, tuple[str, ...]]:
        """Return itself, and all names of a new image; see `Location`."""
        own = (self.tag,) if self.tag else ()
        for name in (*own, *tags) if self.transport == "docker-archive" else tags:
            Reference.parse_tag(name)
        return self, tuple(dict.fromkeys((*own, *tags)))

    def unnamed(self) -> FileLocation:
        """Return the same file, for an image that gets no name."""
        return replace(self, tag="")

    def names(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return names as they are written: a docker-archive has those of Docker."""
        if self.transport == "docker-archive":
            tags = [Reference.parse_tag(tag).familiar for tag in tags]
        return tuple(dict.fromkeys(tags))

    def suggest(self, tags: Sequence[str] = ()) -> Suggestion:
        """Return another file, or another tag in a layout folder."""
        if self.transport == "oci":
            return Suggestion(output=f"oci:{self.path}:slim")
        tag = next(map(slim, filter(_is_name, tags)), "")
        if self.is_stream:
            return Suggestion(tag, "slim.tar")
        path = Path(self.path)
        end = ".oci" if path.suffix == ".oci" else ".tar"
        output = str(path.with_name((_ENDING.sub("", path.name) or "image") + "-slim" + end))
        kind = "oci-archive" if "oci" in {self.transport[:3], end[1:]} else "docker-archive"
        return Suggestion(tag, f"{kind}:{output}" if ":" in output else output)


def parse_file(transport: FileFormat, rest: str) -> FileLocation:
    """Read ``FILE[:TAG]``, what stands behind ``TRANSPORT:``.

    A file that exists under the whole name has no tag.

    Raises:
        InvalidReference: it names no file.
    """
    if not rest or rest.startswith(":"):
        raise InvalidReference(
            f"'{transport}:{rest}': expected {transport}:FILE or {transport}:FILE:TAG"
        )
    if rest.partition(":")[0] == "-" and transport == "oci":
        raise InvalidReference(
            f"'{transport}:{rest}': a folder can't go through a pipe; expected oci-archive:-"
        )
    if exists(rest):
        return FileLocation(transport, rest)
    at = rest.find(":")
    while at > 0:
        if exists(rest[:at]):
            return FileLocation(transport, rest[:at], rest[at + 1 :])
        at = rest.find(":", at + 1)
    head, _, tag = rest.partition(":")
    return FileLocation(transport, head, tag)


def match_layout(text: str, env: Environment) -> Iterator[str]:
    """Yield ``DIR:TAG`` of the images in a layout that ``DIR:PATTERN`` means.

    Raises:
        UsageError: the folder is not said in full.
        ImageNotFound: it is no layout.
    """
    del env
    folder, _, pattern = text.partition(":")
    if is_pattern(folder) or not pattern:
        raise UsageError(f"pattern 'oci:{text}': expected oci:DIR:PATTERN, DIR in full")
    fits = matcher(pattern)
    from lamella.transport.file.oci_layout import FolderFiles, tags_of  # noqa: PLC0415 - few ask

    with FolderFiles(Path(folder)) as files:
        for tag in sorted(filter(fits.fullmatch, tags_of(files))):
            yield f"{folder}:{tag}"


def archives_in(folder: str) -> Iterator[str]:
    """Yield the paths of the archives in a folder, in order; none is taken for an image's name."""
    for path in sorted(Path(folder).iterdir()):
        if path.is_file() and is_archive_name(path.name):
            yield os.fspath(path) if os.path.isabs(folder) else f"./{os.path.normpath(path)}"  # noqa: PTH117 - of the text


def _is_name(tag: str) -> bool:
    """Whether an image can be given a name: in a layout it may have any, ``latest`` for one."""
    try:
        Reference.parse_tag(tag)
    except InvalidReference:
        return False
    return not {":", "/"}.isdisjoint(tag)


def is_archive_name(name: str) -> bool:
    """Whether a name ends like that of an archive."""
    return bool(_ARCHIVE_NAME.fullmatch(name))


def is_layout(path: str) -> bool:
    """Whether a folder is an OCI image layout."""
    return any(exists(f"{path}/{mark}") for mark in _LAYOUT_MARKS)


def is_folder(path: str) -> bool:
    """Whether there is a folder of that name."""
    return os.path.isdir(path)  # noqa: PTH112 - as in `exists`


def exists(path: str) -> bool:
    """Whether there is something of that name."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists() fails for a name that is too long
