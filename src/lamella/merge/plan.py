"""From a difference to a merge plan: which bytes make up the merged layer. No content is read.

What is written is the form that all engines read alike: parents before children and each with an
entry of its own; a directory, then its opaque marker, then its whiteouts, then what is in it; each
path once; a file before its hard links, whose headers repeat its attributes; whiteouts only of what
the layers below show. Entries keep the order of their layers, so what lies together is copied
together; their bytes are taken over as they are wherever all engines agree on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from lamella.errors import MalformedTar, Unsupported
from lamella.layer.whiteout import OPAQUE, PREFIX
from lamella.merge.changeset import Changeset
from lamella.merge.overlay import Folder, Link, Tree
from lamella.tar.entry import (
    CHAR_DEVICE,
    DIRECTORY,
    HARD_LINK,
    REGULAR,
    REWRITE,
    Header,
    Member,
    ReadAt,
    clean,
)
from lamella.tar.header import padding
from lamella.tar.reader import iter_extents, read_header
from lamella.tar.writer import END_OF_ARCHIVE, format_header

__all__ = ["Piece", "Plan", "Promotion", "Run", "Whiteout", "Zeros", "make_plan"]


class Run(NamedTuple):
    """Bytes to copy from a layer's tar."""

    position: int
    offset: int
    length: int


class Zeros(NamedTuple):
    """So many zero bytes: a hole of a sparse file."""

    length: int


Piece: TypeAlias = bytes | Run | Zeros


class Whiteout(NamedTuple):
    """A deletion that the merged layer must still tell, and why."""

    path: bytes
    reason: str


class Promotion(NamedTuple):
    """A file whose first name is gone: it is stored under another of its names."""

    gone: bytes
    path: bytes


@dataclass(frozen=True)
class Plan:
    """All there is to know of a merged layer before it is written."""

    pieces: list[Piece]
    size: int
    """Bytes of the merged layer."""
    entries: int
    whiteouts: list[Whiteout]
    promotions: list[Promotion]
    dropped: list[tuple[Member, Member | None]]
    """Entries that are not in the merged layer: deleted, or overwritten by the second."""


def make_plan(tree: Tree, changesets: Mapping[int, Changeset]) -> Plan:
    """Plan the layer that says what the tree, a difference, says.

    Args:
        tree: the squashed layers, laid over the tree of those below them.
        changesets: by position, of the squashed layers and all below.

    Raises:
        Unsupported: a file can't be said so that all engines understand it.
        MalformedTar: a header that must be read in full is damaged.
    """
    if tree.has_links:
        _adopt_lower_names(tree)
    return _Planner(tree, changesets).run()


def _adopt_lower_names(tree: Tree) -> None:
    """A new hard link to a file below: say all names of that file again, or they would part."""
    if tree.lower is None:
        return
    linked = {id(node.inode) for _, node in tree.walk() if isinstance(node, Link)}
    names = [
        path
        for path, node in tree.lower.walk()
        if not isinstance(node, Folder)
        and id(node.inode if isinstance(node, Link) else node) in linked
    ]
    for path in names:
        tree.adopt(path)


_OFFSET_BITS = 56
_LAST = 1 << 100


class _Site(NamedTuple):
    """A name in the difference, with what sorts it into the order of the layers."""

    order: int
    path: bytes
    node: Folder | Member | Link
    parent: int


class _Planner:
    """One pass over the difference; collects pieces, neighbouring runs joined into one."""

    def __init__(self, tree: Tree, changesets: Mapping[int, Changeset]) -> None:
        self._tree = tree
        self._sources: dict[int, ReadAt] = {p: c.source for p, c in changesets.items()}
        self._folders: list[tuple[bytes, Folder, int]] = []
        self._written: set[int] = set()
        self._leaders: dict[int, bytes] = {}  # inode -> the path it was written under
        self._headers: dict[int, Header] = {}  # of inodes with several names
        self._linked: set[int] = set()
        self._pieces: list[Piece] = []
        self._literals: list[bytes] = []
        self._run: tuple[int, int, int] | None = None
        self._entries = 0
        self._whiteouts: list[Whiteout] = []
        self._promotions: list[Promotion] = []

    def run(self) -> Plan:
        sites = sorted(self._collect(), key=itemgetter(0))
        root = self._tree.root
        if root.member is not None:
            self._entry(root.member, b"")
        self._removals(root, b"")
        for site in sites:
            self._parents(site.parent)
            if isinstance(site.node, Folder):
                self._parents(self._index[id(site.node)])
            elif isinstance(site.node, Link):
                self._hard_link(site.node, site.path)
            else:
                self._entry(site.node, site.path)
        self._literal(END_OF_ARCHIVE)
        self._flush()
        size = sum(len(p) if isinstance(p, bytes) else p[-1] for p in self._pieces)
        dropped = list(self._dropped())
        return Plan(self._pieces, size, self._entries, self._whiteouts, self._promotions, dropped)

    # -- what is there

    def _collect(self) -> list[_Site]:
        """List the names to write; directories that only lead to others wait for those."""
        sites: list[_Site] = []
        self._folders.append((b"", self._tree.root, 0))
        self._written.add(0)
        self._index = {id(self._tree.root): 0}
        at = 0
        while at < len(self._folders):
            prefix, folder, _ = self._folders[at]
            prefix = prefix + b"/" if prefix else b""
            for name, node in folder.kids.items():
                if node is None:
                    continue
                path, member = (
                    prefix + name,
                    node.member if isinstance(node, Folder | Link) else node,
                )
                if member is not None and member.path == path:
                    path = member.path  # the same object: a million paths are worth sharing
                if isinstance(node, Folder):
                    self._index[id(node)] = len(self._folders)
                    self._folders.append((path, node, at))
                    if member is None and node.lower is not None and None not in node.kids.values():
                        continue
                elif isinstance(node, Link):
                    self._linked.add(id(node.inode))
                order = _LAST if member is None else member.origin << _OFFSET_BITS | member.start
                sites.append(_Site(order, path, node, at))
            at += 1
        return sites

    # -- pieces

    def _literal(self, data: bytes) -> None:
        if self._run:
            self._flush()
        self._literals.append(data)

    def _copy(self, position: int, offset: int, length: int) -> None:
        run = self._run
        if run and run[0] == position and run[1] + run[2] == offset:
            self._run = position, run[1], run[2] + length
            return
        self._flush()
        self._run = position, offset, length

    def _flush(self) -> None:
        """End the run or the literal bytes at hand; there is never both."""
        if self._run and self._run[2]:
            self._pieces.append(Run(*self._run))
        if self._literals:
            self._pieces.append(b"".join(self._literals))
            self._literals.clear()
        self._run = None

    # -- directories

    def _parents(self, index: int) -> None:
        """Write a directory and those above it, unless that is done."""
        chain = []
        while index not in self._written:
            chain.append(index)
            index = self._folders[index][2]
        for index in reversed(chain):
            self._written.add(index)
            path, folder, _ = self._folders[index]
            self._folder(folder, path)

    def _folder(self, folder: Folder, path: bytes) -> None:
        member, lower = folder.member, folder.lower
        while member is None and lower is not None:
            member, lower = lower.member, lower.lower
        if member is not None:
            self._entry(member, path)
        else:  # no layer has an entry for it: as engines make it then, but with a fixed time
            header = Header(name=path + b"/", type=DIRECTORY, mode=0o755)
            self._literal(format_header(header))
            self._entries += 1
        if folder.hidden is not None and folder.hidden.kids:
            self._mark(path + b"/" + OPAQUE)
            self._whiteouts.append(Whiteout(path + b"/", "made anew over a directory of the base"))
        self._removals(folder, path + b"/")

    def _removals(self, folder: Folder, prefix: bytes) -> None:
        for name in sorted(name for name, node in folder.kids.items() if node is None):
            self._mark(prefix + PREFIX + name)
            self._whiteouts.append(Whiteout(prefix + name, "the base has it"))

    def _mark(self, name: bytes) -> None:
        self._literal(format_header(Header(name=name, type=REGULAR, mode=0)))
        self._entries += 1

    # -- entries

    def _entry(self, member: Member, path: bytes) -> None:
        """Write a member under a path: its own bytes if they say just that."""
        if id(member) in self._linked:
            self._leaders[id(member)] = path
        if member.type == CHAR_DEVICE:
            self._check_device(member)
        self._entries += 1
        if member.path == path and not member.flags & REWRITE:
            self._copy(member.origin, member.start, member.end - member.start)
        else:
            self._anew(member, path)

    def _anew(self, member: Member, path: bytes) -> None:
        header = self._header(member)
        name = path + b"/" if member.type == DIRECTORY else path
        self._literal(format_header(replace(header, name=name or b"./")))
        if member.type != REGULAR:
            return
        with _naming_layer(member):
            extents = list(iter_extents(self._sources[member.origin], member, header))
        for offset, length in extents:
            if offset < 0:
                self._flush()
                self._pieces.append(Zeros(length))
            else:
                self._copy(member.origin, offset, length)
        self._literal(bytes(padding(header.size)))

    def _check_device(self, member: Member) -> None:
        header = self._header(member)
        if header.devmajor == header.devminor == 0:
            message = (
                f"{member.path!r} is the character device 0:0, which overlay engines take for a "
                "whiteout; it can't be squashed"
            )
            raise Unsupported(message)

    def _hard_link(self, link: Link, path: bytes) -> None:
        leader = self._leaders.get(id(link.inode))
        if leader is None:  # its first name is gone: this one takes its place
            self._leaders[id(link.inode)] = path
            self._promotions.append(Promotion(link.inode.path, path))
            self._entries += 1
            self._anew(link.inode, path)
            return
        self._entries += 1
        inode, member = self._inode_header(link.inode), link.member
        if (
            member.path == path
            and not member.flags & REWRITE
            and member.link[:1] != b"/"
            and clean(member.link) == leader
            and _attributes(self._header(member)) == _attributes(inode)
        ):
            self._copy(member.origin, member.start, member.end - member.start)
            return
        header = replace(inode, name=path, type=HARD_LINK, link=leader, size=0, parts=None)
        self._literal(format_header(header))

    def _header(self, member: Member) -> Header:
        with _naming_layer(member):
            return read_header(self._sources[member.origin], member)

    def _inode_header(self, inode: Member) -> Header:
        header = self._headers.get(id(inode))
        if header is None:
            header = self._header(inode)
            self._headers[id(inode)] = header
        return header

    # -- what is not there

    def _dropped(self) -> list[tuple[Member, Member | None]]:
        dropped: list[tuple[Member, Member | None]] = []
        stack = [(loss.node, loss.by) for loss in self._tree.losses]
        while stack:
            node, by = stack.pop()
            if isinstance(node, Folder):
                stack += [(kid, None) for kid in node.kids.values() if kid is not None]
                if node.own_member is not None:
                    dropped.append((node.own_member, None))
            elif isinstance(node, Link):
                dropped.append((node.member, by))
            elif id(node) not in self._linked:
                dropped.append((node, by))
        return dropped


@contextmanager
def _naming_layer(member: Member) -> Iterator[None]:
    """Let an error in a member's headers say which layer it is from."""
    try:
        yield
    except MalformedTar as error:
        raise error.at(f"layer {member.origin + 1}") from error


def _attributes(header: Header) -> tuple[object, ...]:
    """What a hard link's header must repeat, or Docker loses it (capabilities, for one)."""
    return (
        header.mode & 0o7777,
        header.uid,
        header.gid,
        header.mtime,
        header.xattrs,
    )
