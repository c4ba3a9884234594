"""Which layer takes each entry away, and what takes its place: all layers laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, cast

from lamella.analysis.groups import Lots, make_lots
from lamella.analysis.timeline import Directory, Recorded
from lamella.errors import MalformedTar
from lamella.merge.changeset import Changeset
from lamella.merge.gc_pause import collector_paused
from lamella.merge.overlay import Folder, Link
from lamella.tar.entry import Member

__all__ = ["Laid", "Life", "lay"]


class Life(NamedTuple):
    """One entry of a layer, and how it ended."""

    member: Member
    killed: int
    """The layer that took it away, from 0, maybe its own; of a file with several names, the last
    of them."""
    by: Member | None
    """What was put over it; None if it was deleted, or a directory that it was in was taken away
    or replaced."""


class Laid:
    """The layers of an image, laid over each other."""

    def __init__(self, changesets: Sequence[Changeset]) -> None:
        self.changesets = changesets
        self.tree = Recorded(len(changesets))
        self.deaths: dict[int, int] = {}
        """By the id of a member: the layer that took its name away; the others live."""
        self.moved: dict[int, bytes] = {}
        """By the id of a member: its directory, where symlinks led it away from its path."""
        self._by: dict[int, Member] = {}
        for changeset in changesets:
            known = len(self.tree.losses)
            try:
                self.tree.apply(changeset)
            except MalformedTar as error:
                raise error.at(f"layer {changeset.position + 1}") from error
            self._bury(known, changeset.position)
            # What only hard links lead to has no name of its own that anybody sees.
            self.deaths.update((id(member), changeset.position) for member in changeset.aside)
            if self.tree.redirected:
                self._note_moved(changeset.position)
        self.stretches = self.tree.finish()
        """What there is to say of names that came and went."""

    def _bury(self, known: int, position: int) -> None:
        """Note what the last layer took away, with all that was in it."""
        deaths, killers = self.deaths, self._by
        stack = []
        for node, by in self.tree.losses[known:]:
            if isinstance(node, Folder):
                stack.append(node)
                continue
            key = id(node.member if isinstance(node, Link) else node)
            deaths[key] = position
            if by is not None:
                killers[key] = by
        while stack:
            folder = stack.pop()
            cast("Directory", folder).died = position
            if folder.member is not None:
                deaths[id(folder.member)] = position
            for kid in folder.kids.values():
                if isinstance(kid, Folder):
                    stack.append(kid)
                elif kid is not None:
                    deaths[id(kid.member if isinstance(kid, Link) else kid)] = position

    def _note_moved(self, position: int) -> None:
        for path, node in self.tree.walk():
            member = node if isinstance(node, Member) else node.member
            folder = path.rpartition(b"/")[0]
            if member is not None and member.origin == position and member.folder != folder:
                self.moved[id(member)] = folder

    def dead(self) -> list[Life]:
        """Return all that are dead, layer by layer, in the order of the tars.

        It is what a squash of the whole image leaves out.
        """
        found: list[Life] = []
        new, fate_of, by = tuple.__new__, self.fates.get, self._by.get
        for changeset in self.changesets:
            keys = [*map(id, changeset.entries)]
            lives = zip(changeset.entries, keys, map(fate_of, keys), strict=True)
            found += [
                new(Life, (member, killed, by(key)))
                for member, key, killed in lives
                if killed is not None
            ]
        return found

    @cached_property
    def fates(self) -> dict[int, int | None]:
        """By the id of a member: the layer that took it away; of a file, the last of its names."""
        return {**self.deaths, **self._ends_of_files()}

    @cached_property
    def lots(self) -> list[Lots]:
        """The entries of each layer in lots, but for names of files with hard links."""
        apart = self.moved.keys() | self.tree.files.keys()
        apart.update(id(link) for _, links in self.tree.files.values() for link in links)
        return make_lots(self.changesets, self.deaths, apart)

    def _ends_of_files(self) -> dict[int, int | None]:
        """By the id of a member with hard links: which layer took the last name away."""
        ends: dict[int, int | None] = {}
        for inode, names in self.tree.files.values():
            found = [self.deaths.get(id(name)) for name in (inode, *names)]
            known = [position for position in found if position is not None]
            ends[id(inode)] = max(known) if len(known) == len(found) else None
        return ends


def lay(changesets: Sequence[Changeset]) -> Laid:
    """Lay all layers of an image over each other.

    Args:
        changesets: of all layers, base first.

    Raises:
        MalformedTar: an entry can't be there; the message says in which layer.
    """
    with collector_paused():
        return Laid(changesets)
