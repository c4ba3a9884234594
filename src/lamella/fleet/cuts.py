"""Where to cut the paths of a tree so that the pieces cost least: one pass up, one down.

A piece is what becomes one layer: the nodes from one down to another on one path. It is named by
the depth of its first node and the number of its last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add, le

__all__ = ["Cost", "Shape", "Starts", "best_cuts"]

Cost = Sequence[Sequence[int]]
"""For each node, what a piece that ends with it costs, by the depth of the piece's first node."""
Starts = dict[int, tuple[int, ...]]
"""For each node that an image ends with, the depths at which the image's pieces begin."""

_NEVER = 1 << 200
"""More than anything costs."""


@dataclass(frozen=True)
class Shape:
    """What a plan needs to know of a tree."""

    parents: Sequence[int]
    depths: Sequence[int]
    kids: Sequence[Sequence[int]]
    ends: frozenset[int]
    """Nodes that images end with."""
    first: Sequence[int]
    """For each node, the least depth at which a piece that ends with it may begin.

    It is the node's own depth where the layer must stay as it is; then all that lie below stay.
    """
    limit: int | None = None
    """How many pieces an image may have; None: any number."""


def best_cuts(shape: Shape, stored: Cost, pulls: Sequence[int], pulled: Cost) -> tuple[int, Starts]:
    """Return the cheapest cuts of those that all images with an edge of the tree share.

    Let ``f(u, v, r)`` be the least cost of all pieces that end at `v` or below it, when the open
    piece began at `u` and an image may have `r` pieces more, the open one among them. A piece costs
    its storage once, and its bytes once more for each pull of an image that has it::

        f(u, v, r)     = min(closed, going on below all kids), or closed, if an image ends at v
        closed         = (stored + pulls of images that end at v * pulled)(u..v)
                         + sum over kids c of min(f(u, c, r),  f(c, c, r - 1) + pulls(c) * pulled)
        going on       = sum over kids c of f(u, c, r)

    It is best of all plans, whatever they cut, if nothing is limited and weighed, and no piece
    costs less than its upper part alone (``size(u1..v) >= size(u2..v)`` where `u1` lies below `u2`
    in the image). For let two images that both have `v` be cut so that their open pieces begin at
    different nodes. The one whose piece begins lower may be cut as the other, up to where the
    other's piece begins: those pieces are there anyway, and its own gets no larger. So all images
    with an edge may as well agree on whether it is cut. What real layers make of the condition is
    told in `best`.

    Args:
        shape: the tree.
        stored: of each piece, what it costs to have it.
        pulls: how often images that end at or below each node are pulled.
        pulled: of each piece, what a pull of it costs.

    Returns:
        The cost, and the cuts.
    """
    return _Pass(shape, stored, pulls, pulled).run()


class _Pass:
    """Costs by node, by how many pieces there may be, and by the depth at which one is open.

    There may be 1, 2, … pieces, up to as many as can matter. Without a limit that index has one
    value. All depths are gone through at once.
    """

    def __init__(self, shape: Shape, stored: Cost, pulls: Sequence[int], pulled: Cost) -> None:
        self._shape, self._stored, self._pulls, self._pulled = shape, stored, pulls, pulled
        self._width = _widths(shape)
        self._costs: dict[int, list[list[int]]] = {}
        self._closed: dict[int, list[bytes]] = {}
        self._cut: dict[int, list[bytes]] = {}

    def run(self) -> tuple[int, Starts]:
        shape = self._shape
        for node in reversed(range(len(shape.parents))):
            self._sum_up(node)
            for kid in shape.kids[node]:
                del self._costs[kid]
        total = sum(costs[-1][0] for costs in self._costs.values())
        return total, self._decide(list(self._costs))

    def _sum_up(self, node: int) -> None:
        """Find out the costs of a node from those of its kids."""
        shape = self._shape
        first, end = shape.first[node], shape.depths[node] + 1
        # What must be closed is an end, or stays as it is; a kid on that begins a piece.
        must = node in shape.ends or any(shape.first[kid] == end for kid in shape.kids[node])
        own = self._pulls[node] - sum(self._pulls[kid] for kid in shape.kids[node])
        pulled = self._pulled[node][first:end]
        stored = list(self._stored[node][first:end])
        if own:
            stored = [size + own * pull for size, pull in zip(stored, pulled, strict=True)]
        costs, bits = [], []
        for left in range(self._width[node]):
            closed, going = stored, [0] * len(stored)
            for kid in shape.kids[node]:
                closed, going = self._add(kid, left, pulled, closed, going)
            if must:
                bits.append(b"\1" * len(stored))
                costs.append(closed)
            else:
                bits.append(bytes(map(le, closed, going)))
                costs.append(list(map(min, closed, going)))
        self._costs[node], self._closed[node] = costs, bits

    def _add(
        self, kid: int, left: int, pulled: Sequence[int], closed: list[int], going: list[int]
    ) -> tuple[list[int], list[int]]:
        """Add the costs of a kid to those of a node that is closed, and of one that is not."""
        fresh, pulls = self._afresh(kid, left), self._pulls[kid]
        news = [fresh + pulls * pull for pull in pulled] if pulls else [fresh] * len(closed)
        cut = self._cut.setdefault(kid, [])
        if self._shape.first[kid] == self._shape.depths[kid]:
            cut.append(b"\1" * len(closed))
            return list(map(add, closed, news)), going
        on = self._costs[kid][min(left, self._width[kid] - 1)]
        cut.append(bytes(map(le, news, on)))
        return list(map(add, closed, map(min, news, on))), list(map(add, going, on))

    def _afresh(self, kid: int, left: int) -> int:
        """Return what it costs if a piece begins with a kid, which takes one from the limit."""
        if self._shape.limit is not None:
            left -= 1
        if left < 0:
            return _NEVER
        return self._costs[kid][min(left, self._width[kid] - 1)][-1]

    def _decide(self, roots: Sequence[int]) -> Starts:
        """Go down again, and note where pieces begin."""
        shape, found, step = self._shape, Starts(), self._shape.limit is not None
        begun: list[tuple[int, int, tuple[int, ...]]]
        begun = [(root, self._width[root] - 1, (0,)) for root in roots]
        while begun:
            node, left, starts = begun.pop()
            left = min(left, self._width[node] - 1)
            at = starts[-1] - shape.first[node]
            if node in shape.ends:
                found[node] = starts
            closed = self._closed[node][left][at]
            for kid in shape.kids[node]:
                if closed and self._cut[kid][left][at]:
                    begun.append((kid, left - step, (*starts, shape.depths[kid])))
                else:
                    begun.append((kid, left, starts))
        return found


def _widths(shape: Shape) -> list[int]:
    """Return for each node how many pieces can matter: no more than there are nodes below it."""
    widths = [1] * len(shape.parents)
    if shape.limit is not None:
        for node in reversed(range(len(widths))):
            height = 1 + max((widths[kid] for kid in shape.kids[node]), default=0)
            widths[node] = min(shape.limit, height)
    return widths
