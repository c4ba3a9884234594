"""Which images might have which piece: told in order, and not all at once."""

from __future__ import annotations

import tracemalloc
from itertools import islice

from lamella.fleet.cuts import Shape
from lamella.fleet.routes import Priced
from lamella.spec.digest import Digest


def _bushy(images: int, depth: int, diff_ids: list[Digest]) -> Priced:
    """Return images that share their first layer."""
    count = 1 + images * (depth - 1)
    parents = [-1, *(0 if at % (depth - 1) == 1 else at - 1 for at in range(1, count))]
    depths = [0, *((at - 1) % (depth - 1) + 1 for at in range(1, count))]
    kids: list[list[int]] = [[] for _ in range(count)]
    for node, parent in enumerate(parents[1:], 1):
        kids[parent].append(node)
    ends = frozenset(node for node in range(count) if depths[node] == depth - 1)
    shape = Shape(parents, depths, kids, ends, [0] * count)
    return Priced(shape, diff_ids, [range(at + 1) for at in depths], [0] * count)


def test_pieces_come_with_their_images_most_first() -> None:
    """A layer that several places have is of all images that have it anywhere."""
    a, b, c = (Digest.of(name) for name in (b"a", b"b", b"c"))
    users = list(_bushy(2, 3, [a, b, c, c, b]).users())
    assert dict(users) == {
        a: [2, 4],
        b: [2, 4],
        c: [2, 4],
        (0, 1): [2],
        (0, 2): [2],
        (1, 2): [2],
        (0, 3): [4],
        (0, 4): [4],
        (1, 4): [4],
    }
    assert [len(ends) for _, ends in users] == [2] * 3 + [1] * 6


def test_pieces_that_nobody_asks_for_take_no_memory() -> None:
    """There are many more of them than layers."""
    images, depth = 40, 50
    priced = _bushy(images, depth, [Digest.of(b"%d" % at) for at in range(1 + images * depth)])
    tracemalloc.start()
    assert len(list(islice(priced.users(), 100))) == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * images * depth**2 // 2
