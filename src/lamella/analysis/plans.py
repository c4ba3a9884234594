"""Which layers are worth squashing: for so many layers, or to be rid of all dead bytes.

Pure functions from what an analysis found to ranges as `selection.Selection` takes them: positions
from 0, ends excluded, in order and apart, each of two layers or more. Sizes are bytes of layer
tars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from lamella.analysis.lifetimes import Life
from lamella.analysis.model import Saving

__all__ = ["choose_auto", "choose_max_layers"]


def choose_max_layers(
    savings: Mapping[tuple[int, int], Saving], most: int, shared: Sequence[int]
) -> tuple[range, ...]:
    """Choose what to squash so that an image has no more than so many layers.

    It then has exactly so many, if it has more: fewer would lose more than was asked for. The
    choice loses least in sharing; of those that do, it leaves the smallest image; of those, it is
    the one that leaves more of the lowest layers as they are.

    What is lost in sharing is the bytes of squashed layers that other images use too: they stay for
    those, and are stored once more in the merged layer. A layer that is kept counts as shared even
    above a squashed one, for it keeps its digest, by which registries and content stores share;
    only engines that unpack each layer for the stack it is on unpack it again.

    Args:
        savings: of each range, by first and last layer from 1; see `savings.savings`.
        most: how many layers there may be, at least 1.
        shared: for each layer, base first, how many of its bytes other images use: all or 0.
    """
    count = len(shared)
    if count <= most:
        return ()
    starts = _best_starts(savings, most, shared)
    return tuple(range(a, b) for a, b in pairwise([*starts, count]) if b - a > 1)


_Cost = tuple[int, int]
"""Bytes lost in sharing; bytes of layers that there are then."""


def _best_starts(
    savings: Mapping[tuple[int, int], Saving], groups: int, shared: Sequence[int]
) -> list[int]:
    """Cut the layers into groups, each of which becomes one layer; return where they start."""
    count = len(shared)
    lost = [0]
    for size in shared:
        lost.append(lost[-1] + size)

    def cost(start: int, stop: int) -> _Cost:
        after = savings[start + 1, stop].after
        return (lost[stop] - lost[start] if stop - start > 1 else 0, after)

    # The best way to make one group, two, … of all layers from a position up; where the second
    # group starts, lowest first, so that what is equally good is squashed at the top.
    best = {start: cost(start, count) for start in range(count)}
    ways: list[dict[int, int]] = []
    for number in range(2, groups + 1):
        costs: dict[int, _Cost] = {}
        nexts: dict[int, int] = {}
        for start in range(count - number + 1):
            costs[start], nexts[start] = min(
                (_sum(cost(start, stop), best[stop]), stop)
                for stop in range(start + 1, count - number + 2)
            )
        best = costs
        ways.append(nexts)
    starts = [0]
    for nexts in reversed(ways):
        starts.append(nexts[starts[-1]])
    return starts


def _sum(one: _Cost, other: _Cost) -> _Cost:
    return one[0] + other[0], one[1] + other[1]


def choose_auto(dead: Iterable[Life], base: int = 0) -> tuple[range, ...]:
    """Choose the fewest layers whose squashing removes every dead byte that lies above the base.

    The bytes of an entry are gone once the layer that made it and the one that killed it are
    squashed into one; so each dead entry asks for all layers from the one to the other, and those
    that meet in a layer ask for one range.

    Dead bytes in the base stay, and so do those of an entry that another one of its own layer
    replaces, unless that layer is squashed for another reason. Whiteouts are no dead bytes, though
    most of them go as well. Nor are the copies of directories' entries that a merged layer may need
    for what is in them.

    Args:
        dead: all entries that are; see `lives.Laid.dead`.
        base: how many of the lowest layers are left alone; 0 for none.
    """
    tops: dict[int, int] = {}
    for life in dead:
        made = life.member.origin
        if base <= made < life.killed:
            tops[made] = max(life.killed, tops.get(made, 0))
    ranges: list[range] = []
    for made, killed in sorted(tops.items()):
        if ranges and made < ranges[-1].stop:
            stop = max(killed + 1, ranges[-1].stop)
            ranges[-1] = range(ranges[-1].start, stop)
        else:
            ranges.append(range(made, killed + 1))
    return tuple(ranges)
