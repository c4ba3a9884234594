"""The way of an image through the tree, and what a plan costs: all its images' ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from operator import add

from lamella.fleet.cuts import Cost, Shape, Starts
from lamella.spec.digest import Digest

__all__ = ["Piece", "Priced", "Stored", "cheapest_way", "pieces_of"]

Piece = tuple[int, int]
"""Depth of the first node, number of the last."""
Stored = Piece | Digest
"""What is stored once: a merged layer by its piece, a layer that stays by its digest."""

_NEVER = 1 << 200


def pieces_of(path: Sequence[int], starts: Sequence[int]) -> list[Piece]:
    """Return the pieces of an image, base first."""
    return [(a, path[b - 1]) for a, b in pairwise([*starts, len(path)])]


class Priced:
    """A plan in the making, and what it costs: each layer is stored once, and pulled with each.

    Two pieces of several layers are taken for different layers. A layer that stays is stored once
    for all places of the tree where it is.
    """

    def __init__(
        self,
        shape: Shape,
        diff_ids: Sequence[Digest],
        sizes: Cost,
        pulls: Sequence[int],
        charge: int = 0,
    ) -> None:
        """Take over what a plan's cost depends on.

        Args:
            shape: the tree.
            diff_ids: of each node.
            sizes: of each piece.
            pulls: how often images that end at or below each node are pulled.
            charge: what a piece of several layers costs beyond its bytes.
        """
        self.shape, self.diff_ids, self.sizes = shape, diff_ids, sizes
        self.charge = charge
        kids = shape.kids
        self.pulls = {end: pulls[end] - sum(pulls[kid] for kid in kids[end]) for end in shape.ends}
        self.paths = {end: _path(shape.parents, end) for end in sorted(shape.ends)}

    def pieces(self, starts: Starts) -> dict[Stored, int]:
        """Return what is stored, and its size."""
        return {
            self.key(piece): self.size(piece)
            for end, path in self.paths.items()
            for piece in pieces_of(path, starts[end])
        }

    def cost(self, starts: Starts) -> int:
        """Return what is stored and pulled, in bytes, and the charges."""
        pieces = self.pieces(starts)
        return sum(pieces.values()) + self.pulled(starts) + self.charged(pieces)

    def charged(self, pieces: Iterable[Stored]) -> int:
        """Return what pieces cost beyond their bytes."""
        return self.charge * sum(isinstance(key, tuple) for key in pieces) if self.charge else 0

    def pulled(self, starts: Starts) -> int:
        """Return the bytes of all pulls."""
        return sum(
            pulls * sum(map(self.size, pieces_of(self.paths[end], starts[end])))
            for end, pulls in self.pulls.items()
            if pulls
        )

    def key(self, piece: Piece) -> Stored:
        """Return what a piece is stored as."""
        start, node = piece
        return self.diff_ids[node] if start == self.shape.depths[node] else piece

    def size(self, piece: Piece) -> int:
        """Return the bytes of a piece."""
        start, node = piece
        return self.sizes[node][start]

    def users(self) -> Iterator[tuple[Stored, list[int]]]:
        """Yield each piece with the images that might have it, by their ends; most images first.

        There are many more pieces than nodes, so they are made when they are asked for.
        """
        below: dict[int, list[int]] = {}
        for end, path in self.paths.items():
            for node in path:
                below.setdefault(node, []).append(end)
        alone: dict[Digest, dict[int, None]] = {}
        for node, ends in below.items():
            alone.setdefault(self.diff_ids[node], {}).update(dict.fromkeys(ends))
        groups: list[tuple[int | Digest, list[int]]] = [*below.items()]
        groups += ((diff_id, list(ends)) for diff_id, ends in alone.items())
        for key, ends in sorted(groups, key=lambda group: -len(group[1])):
            if isinstance(key, str):
                yield key, ends
                continue
            for start in range(self.shape.first[key], self.shape.depths[key]):
                yield (start, key), ends

    def least_pulled(self) -> int:
        """Return the bytes of all pulls if each image were as small as it can be."""
        return sum(
            pulls * cheapest_way(self.shape, self.paths[end], self.sizes.__getitem__)[0]
            for end, pulls in self.pulls.items()
            if pulls
        )


def _path(parents: Sequence[int], node: int) -> list[int]:
    found = []
    while node >= 0:
        found.append(node)
        node = parents[node]
    return found[::-1]


def cheapest_way(
    shape: Shape, path: Sequence[int], prices: Callable[[int], Sequence[int]]
) -> tuple[int, tuple[int, ...]]:
    """Return the least cost of an image, and the depths at which its pieces begin.

    Args:
        shape: first nodes of pieces, and how many pieces there may be.
        path: the image's nodes.
        prices: what pieces cost that end with a node, by the depths of their first nodes.
    """
    free = shape.limit is None
    # The least cost of all up to a depth in so many pieces, and where the last of them begins;
    # without a limit there is one row, for any number.
    rows = 1 if free else min(shape.limit or 1, len(path))
    best = [[0 if free else _NEVER] for _ in range(rows)]
    begins: list[list[int]] = [[0] for _ in range(rows)]
    nothing = [0, *[_NEVER] * len(path)]
    for stop, node in enumerate(path, 1):
        first = shape.first[node]
        price = prices(node)[first:stop]
        for row in range(rows):
            below = best[0] if free else best[row - 1] if row else nothing
            costs = list(map(add, below[first:stop], price))
            least = min(costs)
            best[row].append(least)
            begins[row].append(stop - 1 - costs[::-1].index(least))
    row = min(range(rows), key=lambda row: best[row][-1])
    cost, stop, starts = best[row][-1], len(path), list[int]()
    while stop:
        stop = begins[row][stop]
        starts.append(stop)
        row -= not free
    return cost, tuple(starts[::-1])
