"""A merged layer cut into several, whose cuts stay where they are when little changes.

Names keep the order of their layers; a layer gets what lies together. The lowest of the new layers
has everything that is deleted, so that the others only add: any order of reading them gives the
same. Each has the directories that it needs, with their attributes; all names of a file are in one.

A cut is made where two neighbours have the fewest directories in common; of such places the one
whose path has the smallest hash. So it depends on names near the cut alone, and a layer in which
nothing changed stays the same to the byte, also if those before it grow or shrink.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from lamella.merge.overlay import Folder, Link
from lamella.merge.pieces import Plan
from lamella.merge.plan import NameList, Site
from lamella.tar.entry import Member, join
from lamella.tar.header import BLOCK, padding

__all__ = ["NO_CUTTING", "Cutting", "Part", "cut_into", "cut_to_fit", "cut_whole"]

_FILL = 0.5
"""A layer that is cut to fit is at least so full: the more freedom, the more cuts stay."""
_SPARE = 0.95
"""Of the limit, for directories that are said again."""
_AROUND = 0.25
"""Of a layer: how far from its place one of equal cuts may be."""

Key = Callable[[int], tuple[int, bytes]]
"""What tells how well a cut before one of the names would be; the smallest is best."""


@dataclass(frozen=True)
class Cutting:
    """How merged layers are cut."""

    limit: int | None = None
    """Bytes that a layer may have as it is stored."""
    into: int | None = None
    """How many layers there shall be."""
    compresses: bool = False
    """New layers are stored compressed."""
    ratios: Mapping[int, float] = field(default_factory=dict)
    """How many stored bytes a byte of a layer is likely to make, by position; else 1."""

    @property
    def is_none(self) -> bool:
        """Whether all stays in one layer."""
        return self.limit is None and self.into is None


NO_CUTTING = Cutting()


@dataclass(frozen=True, eq=False)
class Part:
    """A layer that takes the place of a range, together with others."""

    names: NameList
    sites: Sequence[Site]
    is_bottom: bool
    plan: Plan

    def cut_to(self, limit: int, size: int, ratios: Mapping[int, float]) -> list[Part]:
        """Cut what turned out to be too large; none where it is one file.

        Args:
            limit: bytes that a layer may have.
            size: what it has.
            ratios: as `Cutting.ratios`.
        """
        weights = _weights(self.sites, ratios)
        cuts = cut_into(weights, _key(self.names, self.sites), int(size / (limit * _SPARE)) + 1)
        parts = _parts(self.names, self.sites, cuts, is_bottom=self.is_bottom)
        return parts if len(parts) > 1 else []

    @property
    def path(self) -> bytes:
        """The path of its first name; of a part that is too large, its only file."""
        if not self.sites:
            return b""
        _, name, _, at = self.sites[0]
        return join(self.names.folders[at][0], name)


def cut_whole(names: NameList, whole: Plan, cutting: Cutting) -> list[Part]:
    """Cut a merged layer, as far as the sizes of its parts can be known before they are written.

    Args:
        names: what it says.
        whole: the plan of it.
        cutting: how it is cut.
    """
    weights, key = _weights(names.sites, cutting.ratios), _key(names, names.sites)
    if cutting.into is not None:
        cuts = cut_into(weights, key, cutting.into)
    elif cutting.limit is not None and whole.size > cutting.limit:
        cuts = cut_to_fit(weights, key, int(cutting.limit * _SPARE))
    else:
        cuts = []
    if not cuts:
        return [Part(names, names.sites, is_bottom=True, plan=whole)]
    parts = _parts(names, names.sites, cuts, is_bottom=True)
    if cutting.limit is None or cutting.ratios:
        return parts
    return [fit for part in parts for fit in _fitting(part, cutting.limit)]


def _fitting(part: Part, limit: int) -> Iterator[Part]:
    """Cut a part until each that can be cut is within a limit."""
    todo = [part]
    while todo:
        part = todo.pop()
        pieces = part.cut_to(limit, part.plan.size, {}) if part.plan.size > limit else []
        if pieces:
            todo += reversed(pieces)
        else:
            yield part


def cut_to_fit(weights: Sequence[int], key: Key, limit: int) -> list[int]:
    """Return where a sequence is cut so that no part weighs more than a limit, if that can be.

    Args:
        weights: of what is cut.
        key: see `Key`.
        limit: of the sum of a part.
    """
    sums = list(accumulate(weights, initial=0))
    cuts: list[int] = []
    start, count = 0, len(weights)
    while sums[count] - sums[start] > limit:
        high = bisect_right(sums, sums[start] + limit) - 1
        low = bisect_left(sums, sums[start] + int(limit * _FILL))
        start = min(range(low, high + 1), key=key) if start < low <= high else max(high, start + 1)
        if start >= count:
            break
        cuts.append(start)
    return cuts


def cut_into(weights: Sequence[int], key: Key, count: int) -> list[int]:
    """Return where a sequence is cut into so many parts of about the same weight.

    Args:
        weights: of what is cut.
        key: see `Key`.
        count: of parts; there are fewer if there are not as many things.
    """
    sums = list(accumulate(weights, initial=0))
    last = len(weights)
    count = min(count, last)
    each = sums[-1] / max(count, 1)
    cuts: list[int] = []
    for number in range(1, count):
        low = bisect_left(sums, int(each * (number - _AROUND)))
        high = bisect_right(sums, int(each * (number + _AROUND))) - 1
        if low > high:  # in the midst of something large
            low = high = bisect_left(sums, int(each * number))
        low = max(low, cuts[-1] + 1 if cuts else 1)
        high = min(max(high, low), last - (count - number))
        if low <= high:
            cuts.append(min(range(low, high + 1), key=key))
    return cuts


def _weights(sites: Sequence[Site], ratios: Mapping[int, float]) -> list[int]:
    weights = []
    for _, _, node, _ in sites:
        if isinstance(node, Member):
            content = node.size + padding(node.size)
            weights.append(node.head + int(content * ratios.get(node.origin, 1.0)))
        else:
            weights.append(BLOCK)
    return weights


def _key(names: NameList, sites: Sequence[Site]) -> Key:
    folders = names.folders

    def key(index: int) -> tuple[int, bytes]:
        _, name, _, parent = sites[index]
        before = folders[sites[index - 1][3]][0] if index else b""
        folder = folders[parent][0]
        path = join(folder, name)
        return _common(before, folder), hashlib.blake2b(path, digest_size=8).digest()

    return key


def _common(one: bytes, other: bytes) -> int:
    """Return how many directories lead to both."""
    count = 0
    for a, b in zip(one.split(b"/"), other.split(b"/"), strict=False):
        if a != b or not a:
            break
        count += 1
    return count


def _parts(
    names: NameList, sites: Sequence[Site], cuts: Sequence[int], *, is_bottom: bool
) -> list[Part]:
    groups: list[list[Site]] = [[] for _ in range(len(cuts) + 1)]
    led: dict[int, int] = {}  # the group of each file with several names, by identity
    for index, site in enumerate(sites):
        node, number = site[2], bisect_right(cuts, index)
        if isinstance(node, Folder):
            if is_bottom and _removes(node):
                number = 0
        elif names.linked:
            number = led.setdefault(id(node.inode if isinstance(node, Link) else node), number)
        groups[number].append(site)
    return [
        Part(names, group, bottom, names.plan(group, is_bottom=bottom))
        for group, bottom in ((group, is_bottom and not n) for n, group in enumerate(groups))
        if group or bottom
    ]


def _removes(folder: Folder) -> bool:
    return folder.hidden is not None or None in folder.kids.values()
