"""Pass 1: what one layer says, sorted by kind. Only headers are read.

The layer chapter of the image specification calls a layer a changeset: additions and changes
(`entries`) and removals (`whiteouts`, `opaques`).
https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamella.errors import MalformedTar
from lamella.layer.whiteout import OPAQUE, PREFIX, is_reserved
from lamella.tar.entry import (
    DIRECTORY,
    HARD_LINK,
    SYMLINK,
    HasMembers,
    Member,
    ReadAt,
    join,
)
from lamella.tar.scan import scan

__all__ = ["Changeset", "read_changeset", "sort_removal"]

_MARK = b"/" + PREFIX
_LINKS = frozenset({SYMLINK, HARD_LINK})


@dataclass(frozen=True, eq=False)
class Changeset:
    """One layer's changes.

    Removals concern lower layers only, so their order matters in one thing: a path leads through
    the symlinks that the layer made before it.
    """

    source: ReadAt
    """The tar, for headers that must be read in full."""
    position: int
    """Which layer of the image, base first, from 0; members carry it as their origin."""
    entries: list[Member]
    """Additions and changes, in the order of the tar."""
    whiteouts: list[bytes]
    """Paths that are deleted, as written."""
    opaques: list[bytes]
    """Directories whose lower children are hidden, as written; empty for the root."""
    aside: Sequence[Member] = ()
    """Files in directories with reserved names, in the order of the tar: no container sees them,
    but hard links may lead to them. AUFS kept files with several names in ``/.wh..wh.plnk``."""
    linked: Sequence[Member] = ()
    """All whiteouts and opaque markers, in the order of the tar, if the path of one of them may
    lead through a symlink of this layer: see `Tree.apply`."""


def read_changeset(source: ReadAt, position: int) -> Changeset:
    """Scan a layer, unless it is known what a scan finds.

    Args:
        source: its uncompressed tar.
        position: which layer it is, base first, from 0.

    Raises:
        MalformedTar: the tar is damaged, or an entry in it makes no sense in a layer.
    """
    members = source.members(position) if isinstance(source, HasMembers) else scan(source, position)
    beneath = {f for f in {m.folder for m in members} if _MARK in b"/" + f}
    marked = [m for m in members if m.name[:4] == PREFIX or not m.name or m.folder in beneath]
    if not marked:
        return Changeset(source, position, members, [], [])
    whiteouts: list[bytes] = []
    opaques: list[bytes] = []
    dropped = {
        id(member): member
        for member in marked
        if member.folder in beneath or sort_removal(member, whiteouts, opaques)
    }
    entries = [m for m in members if id(m) not in dropped]
    aside = [m for m in dropped.values() if m.folder in beneath and m.type != DIRECTORY]
    removals = [m for m in dropped.values() if m.folder not in beneath and not is_reserved(m.name)]
    linked = removals if _may_be_linked(removals, entries) else ()
    return Changeset(source, position, entries, whiteouts, opaques, aside, linked)


def _may_be_linked(removals: Sequence[Member], entries: Sequence[Member]) -> bool:
    """Whether a removal's path may lead through a symlink that an entry made.

    The first symlink on the way has its entry's name, whatever directory the entry got into. A hard
    link may be a name of a symlink.
    """
    names = {name for folder in {m.folder for m in removals} for name in folder.split(b"/")}
    return any(m.name in names and m.type in _LINKS for m in entries)


def sort_removal(member: Member, whiteouts: list[bytes], opaques: list[bytes]) -> bool:
    """File a whiteout where it belongs; return False if it is no whiteout but the root's entry.

    The type of a whiteout's entry doesn't matter: engines take a directory, a link or a file with
    content for a whiteout if it has the name of one.
    """
    folder, name = member.folder, member.name
    if not name:
        if member.type != DIRECTORY:
            raise MalformedTar("an entry for the root that is not a directory", member.start)
        return False
    if name == OPAQUE:
        opaques.append(folder)
    elif not is_reserved(name):
        target = name[len(PREFIX) :]
        # "Files that begin with .wh. can't exist": `.wh.`, `.wh..` and `.wh...` name no file.
        if target in {b"", b".", b".."}:
            message = f"whiteout {member.path!r} names no file"
            raise MalformedTar(message, member.start)
        whiteouts.append(join(folder, target))
    return True
