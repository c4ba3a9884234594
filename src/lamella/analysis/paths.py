"""Paths in layers: bytes, without a slash at either end; the root is empty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Inside", "add", "with_parents"]


def with_parents(folders: Iterable[bytes]) -> set[bytes]:
    """Return directories, and all those that they are in; the root only if there are any."""
    found: set[bytes] = set()
    for folder in folders:
        path = folder
        while path not in found:
            found.add(path)
            path = path.rpartition(b"/")[0]
    return found


class Inside:
    """Sums by directory, each of all that is in it, and what is in which."""

    def __init__(self, direct: Mapping[bytes, Sequence[int]], width: int, last: int = -1) -> None:
        """Add up.

        Args:
            direct: some numbers of each directory, without what is in the directories in it.
            width: how many numbers.
            last: which of them is not added up, but is the largest of all.
        """
        self.sums = {path: [0] * width for path in {b"", *with_parents(direct)}}
        self.kids: dict[bytes, list[bytes]] = defaultdict(list)
        # A directory comes before what is in it, so backwards all of that is complete.
        for path in sorted(self.sums, reverse=True):
            mine = self.sums[path]
            add(mine, direct.get(path, ()), last)
            if path:
                above = path.rpartition(b"/")[0]
                add(self.sums[above], mine, last)
                self.kids[above].append(path)


def add(to: list[int], numbers: Sequence[int], last: int = -1) -> None:
    """Add numbers to numbers, but let the one at `last` be the larger of both."""
    for i, number in enumerate(numbers):
        to[i] = max(to[i], number) if i == last else to[i] + number
