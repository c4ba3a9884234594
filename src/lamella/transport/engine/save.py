"""A `docker save` as it streams by: of each layer only what is wanted goes to the spool.

Which layer a file is, its name tells at once where it is a diff_id (Docker 25 and later, Podman)
or an ID that can be computed from the layers below (Docker before 25). The containerd store names
files by the digest of the compressed layer and says only at the end which is which: there all are
kept until then.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO, cast

from lamella import limits
from lamella.errors import DigestMismatch, MalformedImage
from lamella.layer.blob import CHUNK, Blob
from lamella.layer.partial.headers import keep_headers
from lamella.layer.protocols import Readable
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest, chain_ids

__all__ = ["Need", "SaveSelection", "Saved", "read_save", "v1_ids"]

_BLOB = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.tar)?")
_OLD_LAYER = re.compile(r"([0-9a-f]{64})/layer\.tar")


class Need(Enum):
    """How much of a layer is needed."""

    NOTHING = 0
    HEADERS = 1
    CONTENT = 2


@dataclass(frozen=True)
class SaveSelection:
    """Which layers a save is read for."""

    diff_ids: tuple[Digest, ...]
    content: frozenset[int]
    listed: frozenset[int]

    def need(self, diff_id: Digest) -> Need:
        """How much of a layer is needed, at whichever positions it stands."""
        positions = {i for i, mine in enumerate(self.diff_ids) if mine == diff_id}
        if positions & self.content:
            return Need.CONTENT
        return Need.HEADERS if positions & self.listed else Need.NOTHING


@dataclass
class Saved:
    """What was kept of a save, by the names of its files."""

    metadata: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    """Layers, compressed ones as they are stored."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Of all files, kept or not."""
    links: dict[str, str] = field(default_factory=dict)

    def resolve(self, name: str) -> str:
        """Follow links to the name of a file; repeated layers are links."""
        for _ in range(len(self.links)):
            if name not in self.links:
                break
            name = self.links[name]
        return name


def v1_ids(diff_ids: Sequence[Digest]) -> list[str]:
    """Return the folders in which Docker before 25 saves all layers but the top one.

    They are the hash of an empty image of Docker 1.9's kind, its layer's chain ID and its parent:
    https://github.com/moby/moby/blob/v24.0.9/image/v1/imagev1.go (`CreateID`), with the times that
    `save` gives (image/tarexport/save.go). The top one's hash also covers the config.
    """
    found: list[str] = []
    for chain_id in chain_ids(diff_ids[:-1]):
        parent = f',"parent":"sha256:{found[-1]}"' if found else ""
        text = f'{_V1_START},"layer_id":"{chain_id}"{parent}}}'
        found.append(hashlib.sha256(text.encode()).hexdigest())
    return found


_V1_START = (
    '{"container_config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,'
    '"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,'
    '"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,'
    '"OnBuild":null,"Labels":null},"created":"1970-01-01T00:00:00Z"'
)


def read_save(
    stream: Readable,
    wanted: SaveSelection,
    spool: Spool,
    where: str,
    advance: Callable[[int], None],
) -> Saved:
    """Read a save to its end.

    Args:
        stream: the archive.
        wanted: which layers it is read for.
        spool: takes them.
        where: what messages call the image.
        advance: is told how many bytes more have passed.

    Raises:
        DigestMismatch: a layer isn't what its name says.
        MalformedImage: the archive is damaged, or ends too early.
        OutputError: the spool is full.
    """
    reader = _SaveReader(wanted, spool, where)
    passing = cast("BinaryIO", _CountedStream(stream, advance))
    try:
        with tarfile.open(fileobj=passing, mode="r|", bufsize=CHUNK) as archive:
            while (member := archive.next()) is not None:
                reader.take(member, archive)
    except (tarfile.TarError, EOFError) as error:
        raise MalformedImage(
            where, f"the engine's archive is damaged or cut off ({error})"
        ) from error
    while passing.read(CHUNK):  # to the very end, which is where a broken answer shows
        pass
    return reader.saved


class _CountedStream:
    def __init__(self, stream: Readable, advance: Callable[[int], None]) -> None:
        self._stream, self._advance = stream, advance

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._advance(len(chunk))
        return chunk


class _SaveReader:
    def __init__(self, wanted: SaveSelection, spool: Spool, where: str) -> None:
        self.saved = Saved()
        self._wanted, self._spool, self._where = wanted, spool, where
        self._by_name = {diff_id.hex: diff_id for diff_id in wanted.diff_ids}
        old = zip(v1_ids(wanted.diff_ids), wanted.diff_ids, strict=False)
        self._by_v1_id = dict(old)

    def take(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        name = posixpath.normpath(member.name)
        if member.issym():
            folder = posixpath.dirname(name)
            self.saved.links[name] = posixpath.normpath(posixpath.join(folder, member.linkname))
        elif member.islnk():
            self.saved.links[name] = posixpath.normpath(member.linkname)
        content = archive.extractfile(member) if member.isreg() else None
        if content is not None:
            self.saved.sizes[name] = member.size
            whole = _Whole(cast("BinaryIO", content), member.size, self._where)
            self._take_file(name, member.size, whole)

    def _take_file(self, name: str, size: int, content: _Whole) -> None:
        old, blob = _OLD_LAYER.fullmatch(name), _BLOB.fullmatch(name)
        diff_id = (
            self._by_v1_id.get(old[1]) if old else self._by_name.get(blob[1]) if blob else None
        )
        if diff_id is not None:
            self._take_layer(name, size, content, diff_id)
        elif old:
            self._take_unknown_layer(name, content)
        elif blob and name.startswith("blobs/"):
            self._take_blob(name, size, content, Digest.of_hex(blob[1]))
        elif size <= limits.DOCUMENT:
            self.saved.metadata[name] = content.read(size)

    def _take_layer(self, name: str, size: int, content: _Whole, diff_id: Digest) -> None:
        """A plain layer whose position is known."""
        need = self._wanted.need(diff_id)
        if need is Need.CONTENT:
            kept, got = self._spool.keep(cast("BinaryIO", content))
            if got != diff_id:
                raise DigestMismatch(self._name(diff_id), diff_id, got)
            self.saved.blobs[name] = kept
        elif need is Need.HEADERS:
            where = self._name(diff_id)
            self.saved.blobs[name] = keep_headers(content, self._spool, diff_id, where, size)

    def _take_unknown_layer(self, name: str, content: _Whole) -> None:
        """A plain layer: its content tells which one it is. At least the top layer comes here."""
        kept, diff_id = self._spool.keep(cast("BinaryIO", content))
        if diff_id not in self._wanted.diff_ids:
            raise DigestMismatch(f"{self._where}: {name}", "a layer of the image", diff_id)
        need = self._wanted.need(diff_id)
        if need is Need.CONTENT:
            self.saved.blobs[name] = kept
        elif need is Need.HEADERS:
            where = self._name(diff_id)
            with kept.open() as stream:
                self.saved.blobs[name] = keep_headers(
                    stream, self._spool, diff_id, where, kept.size
                )

    def _take_blob(self, name: str, size: int, content: _Whole, digest: Digest) -> None:
        """Metadata, or a layer in its compressed form."""
        head = content.read(1)
        if head == b"{" and size <= limits.DOCUMENT:
            raw = head + content.read(size)
            got = Digest.of(raw)
            self.saved.metadata[name] = raw
        else:
            kept, got = self._spool.keep(cast("BinaryIO", _Again(head, content)))
            self.saved.blobs[name] = kept
        if got != digest:
            raise DigestMismatch(f"{self._where}: {name}", digest, got)

    def _name(self, diff_id: Digest) -> str:
        return f"{self._where}: layer {self._wanted.diff_ids.index(diff_id) + 1}"


class _Whole:
    """A file of the archive; it is all there, or reading it fails."""

    def __init__(self, content: BinaryIO, size: int, where: str) -> None:
        self._content, self._left, self._where = content, size, where

    def read(self, size: int) -> bytes:
        chunk = self._content.read(min(size, self._left))
        self._left -= len(chunk)
        if not chunk and self._left and size:
            raise MalformedImage(self._where, "the engine's archive is cut off")
        return chunk


class _Again:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
        head, self._head = self._head, b""
        return head or self._rest.read(size)
