"""The plan that is best for all images of a catalogue together.

Each image's path is cut into pieces, and each piece becomes one layer: a piece of one layer is that
layer as it is, a longer one is what `squash` makes of it, to the byte the same in each image that
has these layers on those below. So equal pieces are stored once.

What is least: the bytes of all layers that are stored, each once; and if images have pulls, plus
the bytes of each image as often as it is pulled. A pull is one by a client that has none of the
image's layers: what a client has cannot be known.

How that is found: `cuts.best_cuts` finds the best plan, in a time that grows with nodes and depth,
if no piece is smaller than its upper part. Of real layers nearly all are so. Two things break it: a
whiteout, or the entry of a directory, that a merged layer needs no more because what it is for lies
in the same piece (512 bytes each, the end of the archive too); and a layer that stands at several
places of the tree, which is stored once. Then to find the best plan is as hard as to place
facilities, and so is a limit together with branches. The plan is improved image by image, and
`Plan.at_least` says below which no plan can get: the same recurrence over prices that are no
more than the true ones and that break nothing: of each piece the least of all that end with the
same layer, of a layer that stands at several places a part at each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from lamella.errors import UsageError
from lamella.fleet.cuts import Cost, Shape, Starts, best_cuts
from lamella.fleet.routes import Priced, Stored, pieces_of
from lamella.fleet.search import improved
from lamella.fleet.tree import Catalogue, FleetImage, TreeNode, UnreadImage
from lamella.spec.digest import Digest

__all__ = ["FleetPlan", "ImagePlan", "NewLayer", "Sizes", "choose_plan"]

Sizes = Callable[[int], Sequence[int]]
"""For a node's number: bytes of each layer that ends with it, by the depth of its first node."""

_AGAIN = 1
"""How often layers that are there anyway are taken for free."""


@dataclass(frozen=True)
class ImagePlan:
    """What one image is to become."""

    image: FleetImage
    pieces: tuple[range, ...]
    """Positions of its layers, base first: what becomes one layer."""
    after: int
    """Bytes of its layers then."""

    @property
    def before(self) -> int:
        """Bytes of its layers now."""
        return sum(self.image.sizes)

    @property
    def layers(self) -> tuple[str, ...]:
        """What `squash` is to be told: ``A-B``, numbered from 1; nothing, if the image stays."""
        return tuple(f"{p.start + 1}-{p.stop}" for p in self.pieces if len(p) > 1)


@dataclass(frozen=True)
class NewLayer:
    """A layer that a plan makes."""

    first: int
    """Number of the lowest node that it takes the place of."""
    last: int
    size: int
    images: int
    """How many different images get it."""


@dataclass(frozen=True)
class FleetPlan:
    """What all images of a catalogue are to become."""

    catalogue: Catalogue
    images: tuple[ImagePlan, ...]
    """In the catalogue's order."""
    made: tuple[NewLayer, ...]
    kept: frozenset[Digest]
    """Layers that stay as they are, of any image."""
    stored_before: int
    stored_after: int
    """Never more is stored, and less only if a new layer turns out to be equal to another one."""
    perhaps_equal: int
    """By how many bytes less at most, for equal layers have equal sizes; 0: not by one."""
    pulled_before: int
    """Bytes of all pulls; 0 without any."""
    pulled_after: int
    charged: int
    """What the new layers count beyond their bytes."""
    at_least: int
    """No plan has fewer bytes stored, pulled and charged."""
    max_layers: int | None = None
    unread: tuple[UnreadImage, ...] = ()
    """Images that are left out."""

    @property
    def saved(self) -> int:
        """Bytes that are stored no more."""
        return self.stored_before - self.stored_after

    @property
    def gap(self) -> int:
        """By how many bytes some other plan might be better; 0: this is the best."""
        return self.stored_after + self.pulled_after + self.charged - self.at_least


def choose_plan(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    catalogue: Catalogue,
    sizes: Sizes,
    *,
    max_layers: int | None = None,
    keep: Collection[Digest] = (),
    pulls: Mapping[str, int] | None = None,
    min_saved: int = 0,
) -> FleetPlan:
    """Choose what becomes of each image; see the module for what is best.

    Args:
        catalogue: the images.
        sizes: of all layers that there may be.
        max_layers: how many layers an image may have.
        keep: chain IDs of layers that stay as they are, with all below them: ends of bases.
        pulls: how often images are pulled, by name, for each time that their bytes are stored.
        min_saved: how many bytes a new layer must save: it counts so many more than it has.

    Raises:
        UsageError: a layer to keep is in no image, or an image can't have so few layers.
    """
    nodes = catalogue.nodes
    kept = _kept(catalogue, keep)
    shape = Shape(
        [node.parent for node in nodes],
        [node.depth for node in nodes],
        [node.kids for node in nodes],
        frozenset(catalogue.ends),
        _first(nodes, kept),
        max_layers,
    )
    _check_limit(catalogue, kept, max_layers)
    weights = _weights(catalogue, pulls or {})
    rows = [sizes(number) for number in range(len(nodes))]
    priced = Priced(shape, [node.diff_id for node in nodes], rows, weights, min_saved)
    repeated = Counter(node.diff_id for node in nodes)
    prices = [_charged(row, min_saved) for row in rows] if min_saved else rows
    task = _Given(shape, nodes, rows, prices, weights, repeated, priced)
    starts, at_least = _best(task)
    return _told(catalogue, starts, task, at_least)


def _charged(row: Sequence[int], charge: int) -> Sequence[int]:
    """Return what layers cost that end with a node; only one that is new is charged."""
    return [*(size + charge for size in row[:-1]), row[-1]]


def _kept(catalogue: Catalogue, keep: Collection[Digest]) -> set[int]:
    """Return the nodes that stay as they are."""
    by_chain = {node.chain_id: node.number for node in catalogue.nodes}
    found: set[int] = set()
    for chain_id in keep:
        if chain_id not in by_chain:
            raise UsageError(f"`keep`: no image has a layer {chain_id}")
        found.update(catalogue.path(by_chain[chain_id]))
    for image, end in zip(catalogue.images, catalogue.ends, strict=True):
        if image.fixed:
            found.update(catalogue.path(end))
    return found


def _first(nodes: Sequence[TreeNode], kept: Collection[int]) -> list[int]:
    """Return the least depth at which a piece that ends with a node may begin."""
    first: list[int] = []
    for node in nodes:
        cut = node.number in kept or node.parent < 0 or node.parent in kept
        first.append(node.depth if cut else first[node.parent])
    return first


def _check_limit(catalogue: Catalogue, kept: Collection[int], limit: int | None) -> None:
    if limit is None:
        return
    if limit < 1:
        raise UsageError(f"`max_layers` {limit}: expected a number of layers, at least 1")
    for image, end in zip(catalogue.images, catalogue.ends, strict=True):
        stay = sum(number in kept for number in catalogue.path(end))
        least = stay + (stay < len(image.diff_ids))
        if least > limit:
            raise UsageError(
                f"`max_layers` {limit}: {image.name} keeps {stay} layers, so it has at least "
                f"{least}"
            )


def _weights(catalogue: Catalogue, pulls: Mapping[str, int]) -> list[int]:
    """Return how often images that end at or below each node are pulled."""
    weights = [0] * len(catalogue.nodes)
    for image, end in zip(catalogue.images, catalogue.ends, strict=True):
        weights[end] += pulls.get(image.name, 0)
    for node in reversed(catalogue.nodes):
        if node.parent >= 0:
            weights[node.parent] += weights[node.number]
    return weights


# -- the search


@dataclass(frozen=True)
class _Given:
    shape: Shape
    nodes: Sequence[TreeNode]
    rows: Cost
    """Bytes of each piece."""
    prices: Cost
    """What each costs to be stored."""
    weights: Sequence[int]
    repeated: Counter[Digest]
    """At how many places of the tree each layer is."""
    priced: Priced

    def cut(self, stored: Cost) -> Starts:
        """Cut with these prices for what is stored."""
        return best_cuts(self.shape, stored, self.weights, self.rows)[1]

    def alone(self, price: Callable[[TreeNode], int]) -> list[Sequence[int]]:
        """Return the prices of all pieces; of those of one layer another one."""
        return [
            row if (cost := price(node)) == row[-1] else [*row[:-1], cost]
            for node, row in zip(self.nodes, self.prices, strict=True)
        ]

    def part(self, node: TreeNode) -> int:
        """Return a part of a layer's price for each place where it is."""
        return self.rows[node.number][-1] // self.repeated[node.diff_id]


def _best(task: _Given) -> tuple[Starts, int]:
    """Return the cuts of the best plan that was found, and what no plan falls below."""
    at_least = _least(task) + task.priced.least_pulled()
    tried = [task.cut(task.prices)]
    if any(count > 1 for count in task.repeated.values()):
        tried.append(task.cut(task.alone(task.part)))
    best = min(tried, key=task.priced.cost)
    for _ in range(_AGAIN if len(tried) > 1 else 0):
        there = task.priced.pieces(best)
        again = task.cut(task.alone(lambda node, there=there: _left(node, there, task)))  # type: ignore[misc]
        if task.priced.cost(again) >= task.priced.cost(best):
            break
        best = again
    if task.priced.cost(best) > at_least:
        best = improved(task.priced, best)
    return best, at_least


def _left(node: TreeNode, there: Mapping[Digest, int], task: _Given) -> int:
    """Return what a layer costs if it is there anyway because other places have it."""
    return 0 if node.diff_id in there and task.repeated[node.diff_id] > 1 else node.size


def _least(task: _Given) -> int:
    """Return what no plan stores less than, with or without a limit."""
    prices = task.alone(task.part)
    lowest: list[list[int]] = []
    for row, first in zip(prices, task.shape.first, strict=True):
        least, low = row[first], list(row)
        for depth in range(first, len(row)):
            least = low[depth] = min(least, row[depth])
        lowest.append(low)
    shape = task.shape
    free = Shape(shape.parents, shape.depths, shape.kids, shape.ends, shape.first)
    return best_cuts(free, lowest, [0] * len(lowest), lowest)[0]


# -- the result


def _told(catalogue: Catalogue, starts: Starts, task: _Given, at_least: int) -> FleetPlan:
    priced, rows = task.priced, task.rows
    stored = priced.pieces(starts)
    uses: Counter[tuple[int, int]] = Counter()
    for end, path in priced.paths.items():
        uses.update(pieces_of(path, starts[end]))
    made = [
        NewLayer(catalogue.path(last)[first], last, rows[last][first], count)
        for (first, last), count in uses.items()
        if first < catalogue.nodes[last].depth
    ]
    images = []
    for image, end in zip(catalogue.images, catalogue.ends, strict=True):
        cut = starts[end]
        pieces = tuple(map(range, cut, (*cut[1:], len(image.diff_ids))))
        after = sum(rows[last][first] for first, last in pieces_of(priced.paths[end], cut))
        images.append(ImagePlan(image, pieces, after))
    alone = {end: tuple(range(len(path))) for end, path in priced.paths.items()}
    return FleetPlan(
        catalogue=catalogue,
        images=tuple(images),
        made=tuple(sorted(made, key=lambda new: (new.last, new.first))),
        kept=frozenset(key for key in stored if isinstance(key, Digest)),
        stored_before=sum(catalogue.stored().values()),
        stored_after=sum(stored.values()),
        perhaps_equal=_perhaps_equal(stored),
        pulled_before=priced.pulled(alone),
        pulled_after=priced.pulled(starts),
        charged=priced.charged(stored),
        at_least=at_least,
        max_layers=task.shape.limit,
    )


def _perhaps_equal(stored: Mapping[Stored, int]) -> int:
    """Return the bytes of new layers that have the size of another one, new or not."""
    new = Counter(size for key, size in stored.items() if not isinstance(key, Digest))
    kept = {size for key, size in stored.items() if isinstance(key, Digest)}
    return sum(size * (count - (size not in kept)) for size, count in new.items())
