"""The layer rules once more: slowly, literally, and without a line of lamella's.

A file system is a dictionary from paths to nodes, and hard links are names of the same node. What
the image specification's layer chapter says is done word for word: first the whiteouts of a layer,
on what the layers below left; then its entries, in order.

Where the specification is silent the engines' common reading holds: missing parents are made as
root's with mode 755; what is not a directory gives way to one; entries and removals follow
only those symlinks that the layer itself made before them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.properties.reading import Read, clean, read_tar

__all__ = ["BrokenLayer", "FileSystem", "Listing", "Row", "differences", "flatten"]

_OVERLAY = (b"trusted.overlay.", b"user.overlay.")


class BrokenLayer(Exception):
    """A layer that no engine would unpack."""


@dataclass(eq=False)
class Node:
    """A file, whatever its type; its names are in the dictionary."""

    type: bytes
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int | None = None
    """None for a directory without an entry: it has the time at which it is unpacked."""
    link: bytes = b""
    content: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class Row:
    """All that can be seen of one path."""

    type: bytes
    mode: int
    uid: int
    gid: int
    mtime: int | None
    size: int
    sha256: str
    link: bytes
    device: tuple[int, int]
    xattrs: tuple[tuple[bytes, bytes], ...]
    group: tuple[bytes, ...]
    """All names of the file."""


Listing = Mapping[bytes, Row]


class FileSystem:
    """What layers make, one laid over the other."""

    def __init__(self) -> None:
        self.nodes: dict[bytes, Node] = {}
        self.aside: dict[bytes, Node] = {}
        """Files of the last layer that no container sees; see `set_aside`."""
        self._of_this_layer: set[bytes] = set()

    def apply(self, tar: bytes) -> None:
        """Lay a layer on top."""
        self.apply_members(read_tar(tar)[0])

    def apply_members(self, members: Iterable[Read]) -> None:
        """Lay the members of a layer on top.

        What a removal does to lower layers does not depend on where it stands among the entries.
        Where it leads does: through the symlinks that the layer had made by then.
        """
        self.begin()
        so_far = self.copy()
        entries = []
        for member in members:
            parent, _, name = member.path.rpartition(b"/")
            parts = member.path.split(b"/")
            if any(part.startswith(b".wh.") for part in parts[:-1]):
                entries.append(member)  # see `set_aside`
            elif name == b".wh..wh..opq":
                self.empty(so_far.follow(parent, own=True))
            elif name.startswith(b".wh..wh."):
                continue  # a storage driver's own
            elif name.startswith(b".wh."):
                if name[4:] in {b"", b".", b".."}:
                    message = f"whiteout of nothing: {member.path!r}"
                    raise BrokenLayer(message)
                parent = so_far.follow(parent, own=True)
                self.remove(parent + b"/" + name[4:] if parent else name[4:])
            else:
                entries.append(member)
                with contextlib.suppress(BrokenLayer):  # if it is one, that is told below
                    so_far.add(member)
        for member in entries:
            if b"/.wh." in b"/" + member.path:
                self.set_aside(member)
            else:
                self.add(member)

    def set_aside(self, member: Read) -> None:
        """Beneath a reserved name nothing is seen, but hard links may lead to it."""
        with contextlib.suppress(BrokenLayer):
            if member.type == b"1":
                self.aside[member.path] = self._link_target(member, member.path)
            elif member.type != b"5":
                self.aside[member.path] = self._node(member)

    def copy(self) -> FileSystem:
        """Return another one of the same files."""
        made = FileSystem()
        made.nodes = dict(self.nodes)
        made.aside = dict(self.aside)
        made._of_this_layer = set(self._of_this_layer)
        return made

    def begin(self) -> None:
        """Start a new layer."""
        self._of_this_layer = set()
        self.aside = {}

    def remove(self, path: bytes) -> None:
        """Delete a path and all beneath it; only a directory has something beneath it."""
        node = self.nodes.pop(path, None)
        if node is not None and node.type == b"5":
            self.empty(path)

    def empty(self, path: bytes) -> None:
        """Delete all beneath a path."""
        prefix = path + b"/" if path else b""
        for name in [name for name in self.nodes if name.startswith(prefix)]:
            del self.nodes[name]

    def add(self, member: Read) -> None:
        """Add an entry, or change what is there."""
        if not member.path:
            return  # the root's own attributes are the engine's business
        parent, _, name = member.path.rpartition(b"/")
        folder = self.follow(parent, own=True)
        path = folder + b"/" + name if folder else name
        is_link = member.type == b"1"
        node = self._link_target(member, path) if is_link else self._node(member)
        self._make_folders(folder)
        old = self.nodes.get(path)
        if not (member.type == b"5" and old is not None and old.type == b"5"):
            self.remove(path)
        self.nodes[path] = node
        self._of_this_layer.add(path)

    @staticmethod
    def _node(member: Read) -> Node:
        return Node(
            member.type,
            member.mode,
            member.uid,
            member.gid,
            member.mtime,
            member.link,
            member.content,
            member.device,
            tuple(x for x in member.xattrs if not x[0].startswith(_OVERLAY)),
        )

    def _link_target(self, member: Read, path: bytes) -> Node:
        parent, _, name = clean(member.link).rpartition(b"/")
        folder = self.follow(parent, own=False)
        target = folder + b"/" + name if folder else name
        node = self.aside.get(target) or self.nodes.get(target)
        if node is None or node.type == b"5" or (path + b"/").startswith(target + b"/"):
            message = f"no file to link to: {member.path!r} to {target!r}"
            raise BrokenLayer(message)
        return node

    def _make_folders(self, path: bytes) -> None:
        """Make the directories that an entry needs and that have none."""
        parts = path.split(b"/") if path else []
        for count in range(1, len(parts) + 1):
            folder = b"/".join(parts[:count])
            node = self.nodes.get(folder)
            if node is None or node.type != b"5":
                self.remove(folder)
                self.nodes[folder] = Node(b"5")
                self._of_this_layer.add(folder)

    def follow(self, path: bytes, *, own: bool) -> bytes:
        """Replace symlinks in a path by what they point at; only this layer's if `own`."""
        done: list[bytes] = []
        todo = path.split(b"/") if path else []
        hops = 0
        while todo:
            part = todo.pop(0)
            if part in {b"", b"."}:
                continue
            if part == b"..":
                done = done[:-1]
                continue
            here = b"/".join([*done, part])
            node = self.nodes.get(here)
            if node is None or node.type != b"2" or (own and here not in self._of_this_layer):
                done.append(part)
                continue
            hops += 1
            if hops > 40:
                message = f"a loop of symlinks: {path!r}"
                raise BrokenLayer(message)
            if node.link.startswith(b"/"):
                done = []
            todo = node.link.split(b"/") + todo
        return b"/".join(done)

    def listing(self) -> dict[bytes, Row]:
        """Return all that can be seen."""
        names: dict[int, list[bytes]] = {}
        for path, node in self.nodes.items():
            names.setdefault(id(node), []).append(path)
        return {
            path: Row(
                node.type,
                node.mode if node.type != b"2" else 0,
                node.uid,
                node.gid,
                node.mtime,
                len(node.content),
                hashlib.sha256(node.content).hexdigest(),
                node.link,
                node.device,
                node.xattrs,
                tuple(sorted(names[id(node)])),
            )
            for path, node in sorted(self.nodes.items())
        }


def flatten(tars: Iterable[bytes]) -> dict[bytes, Row]:
    """Return what a container of these layers, base first, would see."""
    files = FileSystem()
    for tar in tars:
        files.apply(tar)
    return files.listing()


def differences(ours: Listing, theirs: Listing) -> list[str]:
    """List the paths that are not the same in both."""
    return [
        f"{path!r}: {ours.get(path)} != {theirs.get(path)}"
        for path in sorted(ours.keys() | theirs.keys())
        if not _same(ours.get(path), theirs.get(path))
    ]


def _same(one: Row | None, other: Row | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.type == other.type == b"5" and None in {one.mtime, other.mtime}:
        return _without_time(one) == _without_time(other)
    return one == other


def _without_time(row: Row) -> tuple[object, ...]:
    return row.mode, row.uid, row.gid, row.xattrs
