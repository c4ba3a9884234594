"""A name in an image, or in one of its layers, and all that is said of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from lamella.layer.protocols import LayerTar
from lamella.merge.changeset import Changeset
from lamella.merge.overlay import Folder, Link
from lamella.rootfs import RootFs
from lamella.tar.entry import (
    BLOCK_DEVICE,
    CHAR_DEVICE,
    DIRECTORY,
    HARD_LINK,
    REGULAR,
    SYMLINK,
    TYPE_NAMES,
    Header,
    Member,
)
from lamella.tar.reader import read_header

__all__ = ["ROOT", "File", "FileType", "file_of", "files_of_layer", "said_by", "type_of"]

FileType = Literal[
    "file",
    "directory",
    "symlink",
    "char device",
    "block device",
    "fifo",
    "hard link",
    "deletion",
    "opaque",
]
"""The last three only in a layer: another name of a file; a path that is deleted; a directory of
which all that the layers below have in it is deleted."""
_TYPES = cast("Mapping[bytes, FileType]", TYPE_NAMES)
_LINKS = (SYMLINK, HARD_LINK)


@dataclass(frozen=True)
class File:
    """A name in an image's file system, and what it stands for."""

    path: str
    """From the root on, without the first slash. Bytes that are no UTF-8 are as `os.fsdecode` has
    them."""
    type: FileType
    size: int
    """Bytes of a regular file; 0 of all else."""
    mode: int
    """Permission bits, set-user-ID and the like: ``0o4755``."""
    uid: int
    gid: int
    mtime_ns: int
    """Nanoseconds since 1970."""
    target: str
    """Where a link leads, as written; empty of all else."""
    layer: int | None
    """Position in ``image.layers`` of the layer that it is from; None: of a directory that no layer
    has an entry for."""
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    """Extended attributes."""
    device: tuple[int, int] | None = None
    """Major and minor number of a device."""


ROOT = File("", "directory", 0, 0o755, 0, 0, 0, "", None)
"""The root, whose attributes engines set as they like."""
_IMPLIED = Header(name=b"", type=DIRECTORY, mode=0o755)
"""Of a directory that no layer has an entry for: as engines make it."""


def file_of(path: bytes, node: Folder | Member | Link, root: RootFs) -> File:
    """Say all there is to say of a name in an image.

    Raises:
        MalformedTar: its header is damaged.
    """
    member = node.member if isinstance(node, Folder) else node
    inode = member.inode if isinstance(member, Link) else member
    if inode is None:
        return said_by(path, _IMPLIED, None)
    return said_by(path, root.header(inode), inode.origin)


def type_of(node: Folder | Member | Link) -> FileType:
    """Say what a name in an image stands for; no header is read."""
    if isinstance(node, Folder):
        return "directory"
    return _TYPES[node.inode.type if isinstance(node, Link) else node.type]


def files_of_layer(changeset: Changeset, tar: LayerTar) -> Iterator[File]:
    """Yield what a layer says, by path: of each path its last entry, and what is deleted.

    Raises:
        MalformedTar: a header is damaged.
    """
    found: dict[bytes, list[File]] = {}
    origin = changeset.position
    removals: Mapping[FileType, Sequence[bytes]] = {
        "deletion": changeset.whiteouts,
        "opaque": changeset.opaques,
    }
    for kind, paths in removals.items():
        for path in paths:
            gone = File(os.fsdecode(path), kind, 0, 0, 0, 0, 0, "", origin)
            found.setdefault(path, []).append(gone)
    entries = {member.path: member for member in changeset.entries}
    for path in sorted(found.keys() | entries.keys()):
        yield from found.get(path, ())
        if path in entries:
            yield said_by(path, read_header(tar, entries[path]), origin)


def said_by(path: bytes, header: Header, layer: int | None) -> File:
    """Return what a header says of a path, as a value."""
    is_device = header.type in {CHAR_DEVICE, BLOCK_DEVICE}
    return File(
        path=os.fsdecode(path),
        type=_TYPES[header.type],
        size=header.size if header.type == REGULAR else 0,
        mode=header.mode & 0o7777,
        uid=header.uid,
        gid=header.gid,
        mtime_ns=header.mtime,
        target=os.fsdecode(header.link) if header.type in _LINKS else "",
        layer=layer,
        xattrs={os.fsdecode(name): value for name, value in header.xattrs.items()},
        device=(header.devmajor, header.devminor) if is_device else None,
    )
