"""Where a merged layer is cut."""

from __future__ import annotations

import hashlib
import random

import pytest

from lamella.merge.cutting import Cutting, cut_into, cut_to_fit
from tests.properties.test_cutting import cut
from tests.support.tars import entry, folder, layer, link, whiteout

_CHANGED = 100
"""One file in so many."""


def key(index: int) -> tuple[int, bytes]:
    """Choose by chance, but always the same."""
    return 0, hashlib.sha256(b"%d" % index).digest()


def sums(weights: list[int], cuts: list[int]) -> list[int]:
    """Return what each part weighs."""
    return [sum(weights[a:b]) for a, b in zip([0, *cuts], [*cuts, len(weights)], strict=True)]


def test_parts_fit() -> None:
    """None weighs more than the limit, but what does alone; none is nearly empty for no reason."""
    weights = [random.Random(3).randrange(1, 90) for _ in range(500)]
    weights[250] = 1000
    parts = sums(weights, cut_to_fit(weights, key, 400))
    assert [part for part in parts if part > 400] == [1000]
    assert sum(part < 200 for part in parts) <= 2  # before what is too large, and the last


@pytest.mark.parametrize("count", [1, 2, 3, 8, 499, 500, 900])
def test_as_many_parts_as_asked_for(count: int) -> None:
    """Or as many as there are things."""
    weights = [random.Random(count).randrange(1, 90) for _ in range(500)]
    parts = sums(weights, cut_into(weights, key, count))
    assert len(parts) == min(count, 500)
    assert all(parts)
    if count < 10:
        assert max(parts) < 1.6 * sum(weights) / count


def files(seed: int) -> dict[str, bytes]:
    """Return an image's files."""
    chance = random.Random(seed)
    names = (f"usr/d{chance.randrange(50):02}/f{number:04}" for number in range(2000))
    return {name: chance.randbytes(chance.randrange(20, 9000)) for name in sorted(names)}


def tar_of(content: dict[str, bytes]) -> bytes:
    """Write them as one layer, with directories."""
    folders = sorted({name.rpartition("/")[0] for name in content})
    made = [folder("usr/"), *(folder(f"{name}/") for name in folders)]
    return layer(*made, *(entry(name, data) for name, data in content.items()))


@pytest.mark.parametrize("seed", range(3))
def test_most_layers_stay(seed: int) -> None:
    """After a change of 1 % of the files, side by side, four of five layers are the same bytes."""
    before = files(seed)
    limit = sum(map(len, before.values())) // 25
    first = cut([tar_of(before)], 0, Cutting(limit=limit))
    chance = random.Random(seed)
    names = list(before)
    start = chance.randrange(len(names))
    after = dict(before)
    for name in names[start : start + len(names) // _CHANGED]:
        after[name] = chance.randbytes(chance.randrange(20, 9000))
    second = cut([tar_of(after)], 0, Cutting(limit=limit))
    assert max(map(len, first)) <= limit
    assert len(second) > 20
    assert len({*first} & {*second}) >= 0.8 * len(second)


def test_names_of_a_file_are_in_one_layer() -> None:
    """Engines can't link to a layer below."""
    some = [(f"f{number}", bytes([number]) * 2000) for number in range(9)]
    links = [link(f"l{number}", "f0") for number in range(5)]
    parts = cut([layer(*some, *links)], 0, Cutting(into=4))
    assert len(parts) == 4
    assert [b"l4" in part for part in parts] == [True, False, False, False]


def test_the_lowest_layer_deletes() -> None:
    """So that the others may be laid on it in any order."""
    base = layer("d/", ("d/old", b"1"), ("gone", b"1"))
    upper = layer(*((f"d/{n}", bytes(2000)) for n in range(9)), whiteout("gone"), whiteout("d/old"))
    parts = cut([base, upper], 1, Cutting(into=3))
    assert [part.count(b".wh.") for part in parts] == [2, 0, 0]
