"""What becomes of each entry, against what a squash of the whole image drops."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from lamella.analysis.lifetimes import Life, lay
from lamella.layer.blob import Bytes
from lamella.merge.changeset import read_changeset
from lamella.tar.entry import Member
from tests.properties.corners import CORNERS
from tests.properties.strategies import layers, tars_of
from tests.support.examples import examples
from tests.support.squashing import plan_of
from tests.support.tars import Entry, layer, link, opaque, symlink, whiteout


def _lives(tars: Sequence[bytes]) -> list[Life]:
    changesets = [read_changeset(Bytes(tar), position) for position, tar in enumerate(tars)]
    return lay(changesets).dead()


def _told(*tars: bytes) -> dict[tuple[int, str], tuple[int, str | None]]:
    """By layer and path: which layer killed it, and what it put there."""
    return {
        (life.member.origin, life.member.path.decode()): (
            life.killed,
            None if life.by is None else life.by.path.decode(),
        )
        for life in _lives(tars)
    }


def _check(tars: Sequence[bytes]) -> None:
    def place(member: Member | None) -> tuple[int, int]:
        return (-1, -1) if member is None else (member.origin, member.start)

    dead = [(place(x.member), place(x.by)) for x in _lives(tars)]
    assert sorted(dead) == sorted((place(m), place(by)) for m, by in plan_of(*tars).dropped)


@pytest.mark.parametrize("name", CORNERS)
def test_corners_die_as_a_squash_drops_them(name: str) -> None:
    """In every corner case the dead are those that a squash of all leaves out, for its reasons."""
    _check(CORNERS[name])


@examples(150)
@given(layers)
def test_the_dead_are_what_a_squash_drops(drawn: list[list[Entry]]) -> None:
    """The same in any image."""
    _check(tars_of(drawn))


def test_who_took_it_away() -> None:
    """The layer that deleted, overwrote or hid it, and what it put in its place."""
    told = _told(
        layer("d/", "d/a", "d/b", "f", "g"),
        layer(("f", b"2"), whiteout("g")),
        layer("d/", opaque("d"), "x"),
        layer(whiteout("d"), "x/"),
    )
    assert told == {
        (0, "d"): (2, "d"),
        (0, "d/a"): (2, None),
        (0, "d/b"): (2, None),
        (0, "f"): (1, "f"),
        (0, "g"): (1, None),
        (2, "d"): (3, None),
        (2, "x"): (3, "x"),
    }


def test_what_its_own_layer_takes_away() -> None:
    """The first of two entries of one name is dead from the start."""
    [first] = _lives([layer(("a", b"1"), ("./a", b"2"))])
    assert first.by is not None
    assert (first.killed, first.member.start) == (0, 0)
    assert first.by.start == 1024


def test_a_file_lives_as_long_as_its_last_name() -> None:
    """The content of a file with hard links ships until no name of it is left."""
    told = _told(
        layer(("a", b"1"), link("b", "a"), link("c", "a")),
        layer(whiteout("a")),
        layer(whiteout("b")),
        layer(whiteout("c")),
    )
    assert {path: killed for (_, path), (killed, _) in told.items()} == {"a": 3, "b": 2, "c": 3}


def test_where_a_symlink_led_it() -> None:
    """An entry that a symlink of its layer leads elsewhere dies with what is there."""
    told = _told(layer("e/", symlink("s", "e"), "s/a", "s/b"), layer(whiteout("e/a"), "e/b"))
    assert told[0, "s/a"] == (1, None)
    assert told[0, "s/b"] == (1, "e/b")
