"""What every squash would bring, against plans that are really made and layers really written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import event, given

from lamella.analysis.lives import lay
from lamella.analysis.model import Saving
from lamella.analysis.savings import savings
from lamella.layer.blob import Bytes
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.overlay import Tree
from lamella.merge.plan import make_plan
from tests.properties.corners import CORNERS
from tests.properties.strategies import layers, tars_of
from tests.support.examples import examples


def _read(tars: Sequence[bytes]) -> list[Changeset]:
    return [read_changeset(Bytes(tar), position) for position, tar in enumerate(tars)]


def _found(tars: Sequence[bytes]) -> dict[tuple[int, int], Saving]:
    return savings(lay(_read(tars)))


def _planned(tars: Sequence[bytes]) -> dict[tuple[int, int], Saving]:
    """The slow way: plan each range over the layers below it."""
    changesets = dict(enumerate(_read(tars)))
    found: dict[tuple[int, int], Saving] = {}
    for first in changesets:
        for last in range(first, len(tars)):
            before = sum(map(len, tars[first : last + 1]))
            after = before if first == last else _size(changesets, first, last)
            found[first + 1, last + 1] = Saving(first + 1, last + 1, before, after)
    return found


def _size(changesets: Mapping[int, Changeset], first: int, last: int) -> int:
    below = Tree()
    for position in range(first):
        below.apply(changesets[position])
    difference = Tree(below)
    for position in range(first, last + 1):
        difference.apply(changesets[position])
    return make_plan(difference, changesets).size


@pytest.mark.parametrize("name", CORNERS)
def test_corners_bring_what_is_told(name: str) -> None:
    """Every corner case: what each range would bring is what its plan says."""
    assert _found(CORNERS[name]) == _planned(CORNERS[name])


@examples(400)
@given(layers)
def test_every_range_brings_what_is_told(drawn: list[list[object]]) -> None:
    """For any image and every range: the size told is the size of the plan, to the byte."""
    tars = tars_of(drawn)  # type: ignore[arg-type]
    event(f"{len(tars)} layers")
    assert _found(tars) == _planned(tars)
