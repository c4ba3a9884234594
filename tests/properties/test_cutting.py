"""A merged layer that is cut says the same as one that is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lamella.layer.blob import Bytes
from lamella.merge.changeset import read_changeset
from lamella.merge.cutting import Cutting, cut_whole
from lamella.merge.emit import PlanTar
from lamella.merge.overlay import Tree
from lamella.merge.plan import NameList
from tests.properties.corners import CORNERS
from tests.properties.portable import complaints
from tests.properties.reference import differences, flatten
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.squashing import stream_of
from tests.support.tars import Entry, layer


def cut(tars: Sequence[bytes], above: int, cutting: Cutting) -> list[bytes]:
    """Return the layers that take the place of those above so many."""
    changesets = {i: read_changeset(Bytes(tar), i) for i, tar in enumerate(tars)}
    below = Tree()
    difference = Tree(below)
    for position, changeset in changesets.items():
        (below if position < above else difference).apply(changeset)
    names = NameList.of(difference, changesets)
    parts = cut_whole(names, names.whole(), cutting)
    sources: Mapping[int, Bytes] = {i: Bytes(tar) for i, tar in enumerate(tars)}
    return [stream_of(PlanTar(part.plan, sources)) for part in parts]


def check(tars: Sequence[bytes], cutting: Cutting) -> int:
    """Cut every upper part of an image; return the most layers that came of it."""
    most = 0
    for above in range(len(tars)):
        new = cut(tars, above, cutting)
        assert differences(flatten([*tars[:above], *new]), flatten(tars)) == []
        for number in range(len(new)):
            assert complaints(new[number], [*tars[:above], *new[:number]]) == []
        most = max(most, len(new))
    return most


@pytest.mark.parametrize("name", CORNERS)
@pytest.mark.parametrize("into", [2, 5])
def test_corners(name: str, into: int) -> None:
    """Every corner case, cut, shows the same files, and each layer is in a portable form."""
    check(CORNERS[name], Cutting(into=into))


@examples(150)
@given(
    layers,
    st.one_of(
        st.integers(2, 5).map(lambda n: Cutting(into=n)),
        st.integers(600, 6000).map(lambda n: Cutting(limit=n)),
    ),
)
def test_cutting_keeps_the_files(drawn: list[list[Entry]], cutting: Cutting) -> None:
    """For every base, wherever the cuts are."""
    event(f"{check([layer(*entries) for entries in drawn], cutting)} layers")
