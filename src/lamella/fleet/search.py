"""A plan made better by trying: where the tree's own rule (`cuts`) is not the last word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, combinations

from lamella.fleet.cuts import Starts
from lamella.fleet.routes import Priced, Stored, cheapest_way, pieces_of
from lamella.spec.digest import Digest

__all__ = ["improved"]

_ROUNDS = 4
_STEPS = 2_000_000
"""Prices that are asked for, at most, while groups are tried: some seconds."""


def improved(priced: Priced, starts: Starts) -> Starts:
    """Return a plan that is no worse: single images, and then groups, go other ways.

    A group is all images that might have a certain layer; they are sent new ways as if it were
    there already; two such groups at a time, if no single one helps. Of many images only some
    groups are tried, the largest first.
    """
    tries = _Tries(priced, starts)
    tries.singles()
    steps = _STEPS // (priced.shape.limit or 1)
    users = list(_affordable(priced, steps))
    for together in (1, 2):
        better = True
        while better:
            better = False
            for groups in combinations(users, together):
                ends = list(dict.fromkeys(chain(*(ends for _, ends in groups))))
                steps -= _steps(priced, ends)
                if steps < 0:
                    return tries.starts
                better |= tries.group(ends, *(key for key, _ in groups))
            if better:
                tries.singles()
    return tries.starts


def _affordable(priced: Priced, steps: int) -> Iterator[tuple[Stored, list[int]]]:
    """Yield groups up to the first that there are no steps for, even if each is tried but once."""
    for group in priced.users():
        yield group
        steps -= _steps(priced, group[1])
        if steps < 0:
            return


def _steps(priced: Priced, ends: Sequence[int]) -> int:
    """Return how many prices are asked for to send some images new ways."""
    return sum(1 + len(priced.paths[end]) ** 2 // 2 for end in ends)


class _Tries:
    """A plan, and how many images have each piece."""

    def __init__(self, priced: Priced, starts: Starts) -> None:
        self._priced, self.starts = priced, dict(starts)
        self._alone: Counter[Digest] = Counter()
        self._merged: defaultdict[int, Counter[int]] = defaultdict(Counter)
        """By the last node, then by the depth of the first."""
        self._cost = 0
        for end in priced.paths:
            self._add(end, starts[end])

    def singles(self) -> None:
        """Send each image another way, as long as that makes the plan cheaper."""
        for _ in range(_ROUNDS):
            if not sum([self.group([end]) for end in self._priced.paths]):
                break

    def group(self, ends: Sequence[int], *free: Stored) -> bool:
        """Send some images other ways, one by one; return whether the plan is cheaper by that.

        Args:
            ends: of the images.
            free: what is taken for being there.
        """
        before, cost = {end: self.starts[end] for end in ends}, self._cost
        for end in ends:
            self._remove(end)
        for end in ends:
            self._add(end, self._way(end, free))
        if self._cost < cost:
            return True
        for end in ends:
            self._remove(end)
        for end, starts in before.items():
            self._add(end, starts)
        return False

    def _way(self, end: int, free: Sequence[Stored]) -> tuple[int, ...]:
        priced, pulls = self._priced, self._priced.pulls[end]

        def prices(node: int) -> Sequence[int]:
            sizes, depth = priced.sizes[node], priced.shape.depths[node]
            there = [start for start, count in self._merged.get(node, {}).items() if count]
            diff_id = priced.diff_ids[node]
            if self._alone[diff_id] or diff_id in free:
                there.append(depth)
            there += [key[0] for key in free if isinstance(key, tuple) and key[1] == node]
            if not there and not pulls and not priced.charge:
                return sizes
            found = [size * (pulls + 1) + priced.charge for size in sizes]
            found[-1] -= priced.charge
            for start in there:
                found[start] = sizes[start] * pulls
            return found

        return cheapest_way(priced.shape, priced.paths[end], prices)[1]

    def _add(self, end: int, starts: tuple[int, ...]) -> None:
        self.starts[end] = starts
        self._count(end, 1)

    def _remove(self, end: int) -> None:
        self._count(end, -1)

    def _count(self, end: int, step: int) -> None:
        """Count the pieces of an image in or out, and what they cost."""
        priced, pulls = self._priced, self._priced.pulls[end]
        for piece in pieces_of(priced.paths[end], self.starts[end]):
            start, node = piece
            size = price = priced.sizes[node][start]
            key = priced.key(piece)
            if isinstance(key, tuple):
                self._merged[node][start] += step
                left, price = self._merged[node][start], size + priced.charge
            else:
                self._alone[key] += step
                left = self._alone[key]
            others = left - step if step > 0 else left
            self._cost += step * (size * pulls + (0 if others else price))
