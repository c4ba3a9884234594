"""Paths in layers: bytes, without a slash at either end; the root is empty."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Inside", "with_parents"]


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
        none = [0] * width
        self.sums = {path: [*direct.get(path, none)] for path in {b"", *with_parents(direct)}}
        self.kids: dict[bytes, list[bytes]] = defaultdict(list)
        # A directory comes before what is in it, so backwards all of that is complete.
        for path in sorted(self.sums, reverse=True):
            if path:
                above = path.rpartition(b"/")[0]
                sums, mine = self.sums[above], self.sums[path]
                most = max(sums[last], mine[last]) if last >= 0 else 0
                sums[:] = map(operator.add, sums, mine)
                if last >= 0:
                    sums[last] = most
                self.kids[above].append(path)
