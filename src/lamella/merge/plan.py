"""From a difference to a merge plan: which bytes make up the merged layer. No content is read.

What is written is the form that all engines read alike: parents before children and each with an
entry of its own; a directory, then its opaque marker, then its whiteouts, then what is in it; each
path once; a file before its hard links, whose headers repeat its attributes; whiteouts only of what
the layers below show. Entries keep the order of their layers, so what lies together is copied
together; their bytes are taken over as they are wherever all engines agree on them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TypeAlias

from lamella.errors import Unsupported
from lamella.layer.whiteout import OPAQUE, PREFIX
from lamella.merge.changeset import Changeset
from lamella.merge.edits import NO_EDITS, Edits
from lamella.merge.entries import Entries
from lamella.merge.overlay import Folder, Link, Loss, Tree
from lamella.merge.pieces import Piece, Plan, Promotion, Run, Whiteout
from lamella.tar.entry import CHAR_DEVICE, REWRITE, Header, Member, join
from lamella.tar.writer import END_OF_ARCHIVE, format_whiteout

__all__ = ["NameList", "Piece", "Plan", "Promotion", "Run", "Site", "Whiteout", "make_plan"]


def make_plan(tree: Tree, changesets: Mapping[int, Changeset], edits: Edits = NO_EDITS) -> Plan:
    """Plan the layer that says what the tree, a difference, says.

    Args:
        tree: the squashed layers, laid over the tree of those below them.
        changesets: by position, of the squashed layers and all below.
        edits: what the layer is to say otherwise; they have left out of the tree what is to be
            left out.

    Raises:
        Unsupported: a file can't be said so that all engines understand it.
        MalformedTar: a header that must be read in full is damaged.
    """
    names = NameList.of(tree, changesets, edits)
    return names.whole()


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


# A name in the difference: what sorts it into the order of the layers, the name, what it stands
# for, and the number of the directory it is in. A plain tuple, for there may be a million.
Site: TypeAlias = tuple[int, bytes, Folder | Member | Link, int]


class NameList:
    """What the merged layer has to say: names in the order of the layers, and directories."""

    def __init__(self, tree: Tree, entries: Entries, *, changes: bool) -> None:
        """List them; see `of`.

        Args:
            tree: the difference.
            entries: what its entries become.
            changes: whether edits change entries.
        """
        self.tree, self.entries, self.changes = tree, entries, changes
        self.first = tree.lower.top + 1 if tree.lower else 0
        """Position of the lowest squashed layer."""
        self.folders: list[tuple[bytes, Folder, int]] = []
        """Path, directory, and the number of the one above, by number."""
        self.index: dict[int, int] = {}
        """The number of each directory, by identity."""
        self.linked: set[int] = set()
        """Files with several names, by identity."""
        self.sites = self._collect()
        self.sites.sort(key=itemgetter(0))

    @classmethod
    def of(
        cls, tree: Tree, changesets: Mapping[int, Changeset], edits: Edits = NO_EDITS
    ) -> NameList:
        """List what a tree says; the arguments are those of `make_plan`."""
        if tree.links_below:
            _adopt_lower_names(tree)
        entries = Entries({p: c.source for p, c in changesets.items()}, edits)
        changes = edits.change is not None or edits.latest is not None
        return cls(tree, entries, changes=changes)

    def _collect(self) -> list[Site]:
        """List the names to write; directories that only lead to others wait for those."""
        sites: list[Site] = []
        self.folders.append((b"", self.tree.root, 0))
        self.index[id(self.tree.root)] = 0
        for at, (path, folder, _) in enumerate(self.folders):  # which grows meanwhile
            for name, node in folder.kids.items():
                if isinstance(node, Member):
                    sites.append((node.origin << _OFFSET_BITS | node.start, name, node, at))
                    continue
                if node is None:
                    continue
                member = node.member
                if isinstance(node, Link):
                    self.linked.add(id(node.inode))
                else:
                    self.index[id(node)] = len(self.folders)
                    self.folders.append((join(path, name), node, at))
                    if member is None and node.lower is not None and None not in node.kids.values():
                        continue
                order = _LAST if member is None else member.origin << _OFFSET_BITS | member.start
                sites.append((order, name, node, at))
        return sites

    def plan(self, sites: Sequence[Site], *, is_bottom: bool) -> Plan:
        """Plan a layer of some of the names, with all directories that they are in.

        Args:
            sites: the names, in order; all names of a file or none.
            is_bottom: the layer says what is deleted, too: no other layer of this tree lies below.

        Raises:
            Unsupported: a file can't be said so that all engines understand it.
            MalformedTar: a header that must be read in full is damaged.
        """
        return _Planner(self, is_bottom=is_bottom).run(sites)

    def whole(self) -> Plan:
        """Plan a layer of all names; see `make_plan`."""
        plan = self.plan(self.sites, is_bottom=True)
        left_out = [member for member, _ in self._gone(Loss(n, None) for n in self.tree.left_out)]
        return replace(plan, dropped=self._gone(self.tree.losses), left_out=left_out)

    def _gone(self, losses: Iterable[Loss]) -> list[tuple[Member, Member | None]]:
        """Return the entries of what is gone; files that live on under other names are not."""
        dropped: list[tuple[Member, Member | None]] = []
        linked = self.linked
        stack: list[tuple[Folder | Member | Link, Member | None]] = [*losses]
        while stack:
            node, by = stack.pop()
            if isinstance(node, Member):
                if not linked or id(node) not in linked:
                    dropped.append((node, by))
            elif isinstance(node, Link):
                dropped.append((node.member, by))
            else:
                stack += [(kid, None) for kid in node.kids.values() if kid is not None]
                if node.own_member is not None:
                    dropped.append((node.own_member, None))
        return dropped


class _Planner:
    """One pass over names; collects pieces, neighbouring runs joined into one."""

    def __init__(self, names: NameList, *, is_bottom: bool) -> None:
        self._names, self._is_bottom = names, is_bottom
        self._entries_of, self._changes = names.entries, names.changes
        self._folders, self._linked = names.folders, names.linked
        self._written: set[int] = {0}
        self._is_edited = False
        self._leaders: dict[int, bytes] = {}  # inode -> the path it was written under
        self._headers: dict[int, Header] = {}  # of inodes with several names
        self._pieces: list[Piece] = []
        self._literals: list[bytes] = []
        self._position = -1  # of the run at hand, if there is one
        self._start = self._stop = 0
        self._limited = array("q")  # headers in it
        self._size = 0
        self._entries = 0
        self._whiteouts: list[Whiteout] = []
        self._promotions: list[Promotion] = []

    def run(self, sites: Sequence[Site]) -> Plan:
        if self._is_bottom:
            self._root(self._names.tree.root)
        folders, written, entry = self._folders, self._written, self._entry
        index = self._names.index
        for _, name, node, parent in sites:
            if parent not in written:
                self._parents(parent)
            if isinstance(node, Member):
                entry(node, folders[parent][0], name)
            elif isinstance(node, Link):
                self._hard_link(node, join(folders[parent][0], name))
            else:
                self._parents(index[id(node)])
        self._literal(END_OF_ARCHIVE)
        self._flush()
        return Plan(
            self._pieces,
            self._size,
            self._entries,
            self._whiteouts,
            self._promotions,
            dropped=[],
            edited=self._is_edited,
            limit=self._entries_of.limit,
        )

    def _root(self, root: Folder) -> None:
        if root.member is not None:
            self._entry(root.member, b"", b"")
        self._removals(root, b"")

    # -- pieces

    def _literal(self, data: bytes) -> None:
        if self._position >= 0:
            self._flush()
        self._literals.append(data)

    def _copy(self, position: int, offset: int, length: int) -> None:
        if position == self._position and offset == self._stop:
            self._stop += length
            return
        self._flush()
        self._position, self._start, self._stop = position, offset, offset + length

    def _flush(self) -> None:
        """End the run or the literal bytes at hand; there is never both."""
        length = self._stop - self._start
        if length:
            limited: Sequence[int] = ()
            if self._limited:
                limited, self._limited = self._limited, array("q")
            self._pieces.append(Run(self._position, self._start, length, limited))
            self._size += length
        if self._literals:
            data = b"".join(self._literals)
            self._pieces.append(data)
            self._size += len(data)
            self._literals.clear()
        self._position, self._start, self._stop = -1, 0, 0

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
            above, _, name = path.rpartition(b"/")
            self._entry(member, above, name)
        else:
            self._literal(self._entries_of.made_up(path).header)
            self._entries += 1
        if not self._is_bottom:
            return
        if folder.hidden is not None and folder.hidden.kids:
            self._mark(path + b"/" + OPAQUE)
            self._whiteouts.append(Whiteout(path + b"/", "recreated; hides the base's directory"))
        self._removals(folder, path + b"/")

    def _removals(self, folder: Folder, prefix: bytes) -> None:
        for name in sorted(name for name, node in folder.kids.items() if node is None):
            self._mark(prefix + PREFIX + name)
            self._whiteouts.append(Whiteout(prefix + name, "a lower layer has it"))

    def _mark(self, name: bytes) -> None:
        self._literal(format_whiteout(name))
        self._entries += 1

    # -- entries

    def _entry(self, member: Member, folder: bytes, name: bytes) -> None:
        """Write a member under a name: its own bytes if they say just that."""
        if self._linked and id(member) in self._linked:
            self._leaders[id(member)] = join(folder, name)
        if member.type == CHAR_DEVICE:
            self._check_device(member)
        self._entries += 1
        own = member.name == name and member.folder == folder and not member.flags & REWRITE
        limited = own and self._changes and self._entries_of.is_limited_in_place(member)
        changed = self._changes and not limited and self._note_change(member)
        if own and not changed:
            self._copy(member.origin, member.start, member.span)
            if limited:
                self._limited.append(member.start)
        else:
            self._anew(member, join(folder, name))

    def _note_change(self, member: Member) -> bool:
        """Whether the edits change an entry; it is told of those of the squashed layers."""
        changed = self._entries_of.is_changed(member)
        self._is_edited |= changed and member.origin >= self._names.first
        return changed

    def _anew(self, member: Member, path: bytes) -> None:
        entry = self._entries_of.anew(member, path)
        self._literal(entry.header)
        if entry.length:
            self._copy(member.origin, entry.offset, entry.length)
            if entry.padding:
                self._literal(bytes(entry.padding))

    def _check_device(self, member: Member) -> None:
        header = self._entries_of.header(member)
        if header.devmajor == header.devminor == 0:
            message = (
                f"{member.path!r} is the character device 0:0, which overlay engines take for a "
                "whiteout; it can't be squashed"
            )
            raise Unsupported(message)

    def _hard_link(self, link: Link, path: bytes) -> None:
        leader = self._leaders.get(id(link.inode))
        self._entries += 1
        if leader is None:  # its first name is gone: this one takes its place
            self._leaders[id(link.inode)] = path
            self._promotions.append(Promotion(link.inode.path, path))
            self._is_edited = self._is_edited or self._note_change(link.inode)
            self._anew(link.inode, path)
            return
        member = link.member
        if member.path == path and self._entries_of.is_sound_link(member, leader, link.inode):
            self._copy(member.origin, member.start, member.span)
        else:
            self._is_edited = self._is_edited or self._note_change(member)
            header = self._inode_header(link.inode)
            self._literal(self._entries_of.link(header, leader, path).header)

    def _inode_header(self, inode: Member) -> Header:
        header = self._headers.get(id(inode))
        if header is None:
            header = self._entries_of.header(inode)
            self._headers[id(inode)] = header
        return header
