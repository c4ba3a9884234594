"""Small catalogues at random, and the best plan for each, found by trying all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from random import Random

from lamella.analysis.lifetimes import lay
from lamella.analysis.savings import savings
from lamella.fleet.routes import pieces_of
from lamella.fleet.tree import Catalogue, FleetImage
from lamella.layer.blob import Bytes
from lamella.merge.changeset import read_changeset
from lamella.spec.digest import Digest
from tests.support.tars import Spec, folder, layer, opaque, whiteout

__all__ = ["Case", "best_of_all", "images_at_random", "made_up", "of_tars", "real"]


@dataclass(frozen=True)
class Case:
    """A catalogue, and the sizes of all layers that there may be."""

    catalogue: Catalogue
    rows: Mapping[int, Sequence[int]]
    tars: tuple[tuple[bytes, ...], ...] = ()

    def sizes(self, number: int) -> Sequence[int]:
        """Return what `choose_plan` asks for."""
        return self.rows[number]


def images_at_random(
    random: Random, *, most: int = 6, nodes: int = 12, depth: int = 6
) -> list[tuple[int, ...]]:
    """Return paths of up to six images in a tree: numbers of nodes, base first."""
    paths: list[tuple[int, ...]] = []
    for number in range(random.randint(1, nodes)):
        below = random.choice([(), *(p for p in paths if len(p) < depth), *paths[-1:]])
        paths.append((*(below if len(below) < depth else ()), number))
    leaves = [p for p in paths if not any(len(q) > len(p) and q[: len(p)] == p for q in paths)]
    inner = [path for path in paths if path not in leaves]
    random.shuffle(leaves)
    chosen = leaves[:most]
    for path in random.sample(inner, min(len(inner), random.randint(0, 2), most - len(chosen))):
        if any(leaf[: len(path)] == path for leaf in chosen):
            chosen.append(path)
    return chosen


# -- sizes made up


def made_up(random: Random, *, odd: bool = False) -> Case:
    """Return a case whose sizes are numbers at random.

    Args:
        random: where they come from.
        odd: whether a piece may be smaller than its upper part.
    """
    paths = images_at_random(random)
    digests = [Digest.of(b"%d" % number) for number in range(12)]
    size = [random.choice([1, 5, random.randint(0, 100)]) for _ in range(12)]
    images = [
        FleetImage(str(place), tuple(digests[n] for n in path), tuple(size[n] for n in path))
        for place, path in enumerate(paths)
    ]
    catalogue = Catalogue.of(images)
    rows: dict[int, list[int]] = {}
    for node in catalogue.nodes:
        row = [node.size]
        for number in reversed(catalogue.path(node.number)[:-1]):
            more = catalogue.nodes[number].size
            low = -random.randint(0, 5) if odd else 0
            row.append(row[-1] + random.randint(low, max(low, more)))
        rows[node.number] = [max(0, size) for size in row[::-1]]
        rows[node.number][-1] = node.size
    return Case(catalogue, rows)


# -- sizes of real tars

_PATHS = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/b", "f/a"]


def _layer(random: Random, number: int) -> bytes:
    specs: list[Spec] = []
    for path in random.sample(_PATHS, random.randint(1, 4)):
        kind = random.random()
        if kind < 0.6:
            specs.append((path, b"%d" % number * random.choice([1, 10, 700])))
        elif kind < 0.8:
            specs.append(whiteout(path))
        elif kind < 0.9:
            specs.append(folder(path.partition("/")[0] if "/" in path else "d"))
        else:
            specs.append(opaque("d"))
    return layer(*dict.fromkeys(specs), end=random.choice([bytes(1024), bytes(1024), bytes(4096)]))


def real(random: Random, *, repeated: bool = False) -> Case:
    """Return a case of tars at random, whose sizes analysis tells.

    Args:
        random: where they come from.
        repeated: whether the same layer may be at several places.
    """
    paths = images_at_random(random)
    count = 1 + max(number for path in paths for number in path)
    pool = [_layer(random, number) for number in range(count)]
    if repeated:
        pool = [random.choice(pool[: 1 + count // 2]) for _ in pool]
    return of_tars([[pool[number] for number in path] for path in paths])


def of_tars(fleet: Sequence[Sequence[bytes]]) -> Case:
    """Return the case of some images, given as the tars of their layers."""
    different = list(dict.fromkeys(map(tuple, fleet)))
    catalogue = Catalogue.of(
        FleetImage(str(place), tuple(map(Digest.of, tars)), tuple(map(len, tars)))
        for place, tars in enumerate(different)
    )
    rows = {}
    for tars, end in zip(different, catalogue.ends, strict=True):
        told = savings(lay([read_changeset(Bytes(tar), at) for at, tar in enumerate(tars)]))
        for node in map(catalogue.nodes.__getitem__, catalogue.path(end)):
            last = node.depth + 1
            rows[node.number] = [told[first, last].after for first in range(1, last + 1)]
    return Case(catalogue, rows, tuple(different))


# -- all plans


@lru_cache(maxsize=1000)
def _cuts(count: int, least: int, limit: int) -> tuple[tuple[int, ...], ...]:
    """Return all ways to cut so many layers, of which the lowest stay apart; fewest pieces last."""
    inner = [
        (*range(least + 1), *cut) if least < count else tuple(range(count))
        for length in range(count)
        for cut in combinations(range(least + 1, count), length)
    ]
    return tuple(cut for cut in reversed(list(dict.fromkeys(inner))) if len(cut) <= limit)


def best_of_all(
    case: Case,
    under: int,
    *,
    limit: int = 99,
    kept: int = 0,
    pulls: Mapping[str, int] | None = None,
    charge: int = 0,
) -> int:
    """Return the cost of the best of all plans; `under`, if none costs less.

    Args:
        case: the catalogue.
        under: what is known to be possible.
        limit: how many layers an image may have.
        kept: how many of the lowest layers of each image stay as they are.
        pulls: how often images are pulled.
        charge: what a layer costs that is new.
    """
    catalogue, rows, pulls = case.catalogue, case.rows, pulls or {}
    nodes = catalogue.nodes
    ends = sorted(set(catalogue.ends), key=lambda end: -nodes[end].depth)
    weights = {
        end: sum(pulls.get(catalogue.images[place].name, 0) for place in nodes[end].ends)
        for end in ends
    }
    paths = {end: catalogue.path(end) for end in ends}
    best = under

    def ways(end: int) -> Iterator[tuple[int, dict[object, int]]]:
        path = paths[end]
        for cut in _cuts(len(path), min(kept, len(path)), limit):
            stored: dict[object, int] = {}
            for first, last in pieces_of(path, cut):
                alone = first == nodes[last].depth
                key = nodes[last].diff_id if alone else (first, last)
                stored[key] = rows[last][first] + (0 if alone else charge)
            yield weights[end] * sum(rows[b][a] for a, b in pieces_of(path, cut)), stored

    every = {end: list(ways(end)) for end in ends}
    least = [0] * (len(ends) + 1)
    for place in reversed(range(len(ends))):
        least[place] = least[place + 1] + min(pull for pull, _ in every[ends[place]])

    def search(place: int, cost: int, there: dict[object, int]) -> None:
        nonlocal best
        if cost + least[place] >= best:
            return
        if place == len(ends):
            best = cost
            return
        found = []
        for pull, stored in every[ends[place]]:
            new = {key: size for key, size in stored.items() if key not in there}
            found.append((cost + pull + sum(new.values()), new))
        for total, new in sorted(found, key=lambda one: one[0]):
            search(place + 1, total, {**there, **new})

    search(0, 0, {})
    return best
