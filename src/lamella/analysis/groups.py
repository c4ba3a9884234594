"""What each layer has, in lots: so that most entries are looked at once, and not for each figure.

A lot is all that a layer has in one directory and that the same layer takes away. What can't be
summed up like that is left to be looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from lamella.merge.changeset import Changeset
from lamella.tar.entry import DIRECTORY, Member, join

__all__ = ["Lot", "Lots", "make_lots"]


class Lot(NamedTuple):
    """Entries of one layer in one directory; none of them a directory."""

    folder: bytes
    end: int
    """The layer that takes them away; the number of layers: none does."""
    size: int
    """Bytes in the tar."""
    content: int
    """Bytes of content."""
    entries: int
    """How many they are."""


class Lots(NamedTuple):
    """All entries of a layer."""

    lots: list[Lot]
    single: list[Member]
    """In the order of the tar: directories, names of files with hard links, entries that must be
    rewritten or are not where their path says."""

    def by_folder(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield a directory, bytes of entries, and how many; directories count as in themselves."""
        for folder, _, size, _, entries in self.lots:
            yield folder, size, entries
        for member in self.single:
            folder, name, kind, *_ = member
            yield join(folder, name) if kind == DIRECTORY else folder, member.span, 1


def make_lots(
    changesets: Sequence[Changeset], deaths: Mapping[int, int], apart: Collection[int]
) -> list[Lots]:
    """Sort the entries of all layers into lots.

    Args:
        changesets: the layers.
        deaths: by the id of a member: the layer that took its name away.
        apart: by their ids, members that no lot is to have.
    """
    never = len(changesets)
    made = []
    for changeset in changesets:
        sums: defaultdict[tuple[bytes, int], list[int]] = defaultdict(lambda: [0, 0, 0])
        single = []
        keys = [*map(id, changeset.entries)]
        ends = map(deaths.get, keys, repeat(never))
        for member, key, end in zip(changeset.entries, keys, ends, strict=True):
            folder, _, kind, _, _, head, size, flags, _ = member  # at once, for there are many
            if kind == DIRECTORY or flags or key in apart:
                single.append(member)
                continue
            numbers = sums[folder, end]
            numbers[0] += head + (size + 511 & ~511)
            numbers[1] += size
            numbers[2] += 1
        lots = [Lot(folder, end, *numbers) for (folder, end), numbers in sums.items()]
        made.append(Lots(lots, single))
    return made
