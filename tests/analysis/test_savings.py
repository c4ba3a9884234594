"""What every squash would bring, against plans that are really made and layers really written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lamella.analysis.lifetimes import lay
from lamella.analysis.model import Saving
from lamella.analysis.savings import savings
from lamella.errors import MalformedTar
from lamella.layer.blob import Bytes
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.overlay import Tree
from lamella.merge.plan import make_plan
from tests.analysis.looking import analyze
from tests.properties.corners import CORNERS
from tests.properties.strategies import build, layers, operations, tars_of
from tests.support.examples import examples
from tests.support.images import image
from tests.support.squashing import squash
from tests.support.tars import (
    Entry,
    entry,
    folder,
    layer,
    link,
    opaque,
    symlink,
    whiteout,
)

_LONG = "long-" * 30
_HOLES = (
    (b"GNU.sparse.size", b"5000"),
    (b"GNU.sparse.numblocks", b"2"),
    (b"GNU.sparse.map", b"0,10,4000,20"),
)
_NOTE = ((b"comment", b"x"),)
_FULL = layer("d/", ("d/a", b"1"), "d/e/", ("d/e/b", b"2"))


def _built() -> list[bytes]:
    """Layers as builds make them: copies, `chown`, links to files below, `rm -r`, all mixed."""

    def files(name: str, owner: int = 0, step: int = 1) -> list[Entry]:
        numbers = range(0, 24, step)
        return [entry(f"srv/{name}/f{n}", b"%d" % n * 40 * n, uid=owner) for n in numbers]

    folders = [folder(f"srv/{name}") for name in "abc"]
    return [
        layer("srv/", *folders, *files("a"), *files("b"), *files("c")),
        layer("srv/", *(link(f"srv/b/l{n}", f"srv/a/f{n}") for n in range(0, 24, 3))),
        layer("srv/", *folders[:2], *files("a", owner=7, step=2), *files("b", owner=7)),
        layer("srv/", folders[2], opaque("srv/c"), *files("c", step=4), link("srv/d", "srv/c/f4")),
        layer("srv/", *(whiteout(f"srv/a/f{n}") for n in range(0, 24, 3)), *files("b", owner=7)),
        layer(*(link(f"srv/c/l{n}", f"srv/b/l{n}") for n in range(0, 24, 6)), opaque("srv/a")),
        layer(whiteout("srv/b"), "srv/", folders[1], *files("b", step=5), whiteout("srv/c/f4")),
        layer("srv/", *folders, *files("c", owner=9, step=3), whiteout("srv/b/f5"), "srv/a/last"),
    ]


MORE = {
    "as builds make them": _built(),
    "one layer": [layer("a")],
    "directory and file in turns": [_FULL, layer("d"), _FULL, layer("d"), _FULL, layer("x")],
    "deleted and back in turns": [
        _FULL,
        layer(whiteout("d/a")),
        layer(("d/a", b"2")),
        layer(whiteout("d/a")),
        layer(whiteout("d/a"), ("d/a", b"3")),
        layer(whiteout("d")),
        _FULL,
    ],
    "hidden again and again": [
        _FULL,
        layer(opaque("d"), "d/x"),
        layer(whiteout("d/x"), "y"),
        layer(opaque("d")),
        layer("d/x"),
        layer(opaque("d"), opaque("d/e")),
    ],
    "changed, hidden, made again and deleted": [
        _FULL,
        layer(("d/a", b"2")),
        layer(opaque("d")),
        layer("d/a"),
        layer(whiteout("d/a")),
        layer("x"),
    ],
    "hidden after its parent was made anew": [
        _FULL,
        layer(whiteout("d"), "d/", "d/e/", ("d/e/c", b"1")),
        layer(opaque("d/e"), "d/e/f"),
        layer(whiteout("d/e/f"), "d/e/g"),
    ],
    "empty while it was replaced": [
        layer("d/", "d/a"),
        layer(whiteout("d/a")),
        layer(whiteout("d"), "d/", "d/b"),
        layer("x"),
    ],
    "implied in every layer": [
        layer("p/q/r/a"),
        layer("p/q/r/b"),
        layer(whiteout("p/q/r/a")),
        layer(whiteout("p/q"), "p/q/r/c"),
        layer(folder("p/q", 0o700)),
        layer("p/q/d"),
    ],
    "parents needed for a while only": [
        layer("p/", "p/q/", ("p/q/a", b"1")),
        layer(("p/q/b", b"1")),
        layer(whiteout("p/q/b")),
        layer(("p/q/c", b"1"), whiteout("p/q/a")),
        layer(whiteout("p/q/c")),
    ],
    "names of a file that come and go": [
        layer("p/", ("p/a", b"1"), link("b", "p/a")),
        layer("q/", link("q/c", "b"), link("d", "p/a", mode=0o600)),
        layer(whiteout("p/a"), link("e", "q/c")),
        layer(whiteout("b"), whiteout("e")),
        layer(whiteout("q")),
        layer(whiteout("d"), "x"),
    ],
    "a file linked from above and put aside": [
        layer(("a", b"1" * 900)),
        layer(link("b", "a")),
        layer(("a", b"2")),
        layer(link("a", "b")),
        layer(("b", b"3")),
    ],
    "long names that are deleted": [
        layer(f"{_LONG}/", f"{_LONG}/a", f"{_LONG}/{_LONG}", "p/", f"p/{_LONG}/a"),
        layer(whiteout(f"{_LONG}/{_LONG}"), f"p/{_LONG}/b"),
        layer(whiteout(_LONG), f"{_LONG}/b"),
        layer(opaque(f"p/{_LONG}")),
    ],
    "sparse files, also under a later name": [
        layer("x"),
        layer(entry("s", b"0123456789" * 3, records=_HOLES), link("t", "s")),
        layer(whiteout("s")),
        layer("y"),
    ],
    "through symlinks": [
        layer("e/", symlink("s", "e"), ("s/a", b"1"), "s/f/", ("s/f/b", b"1"), link("s/c", "e/a")),
        layer(symlink("t", "e/f"), ("t/x", b"1"), folder("t/g"), whiteout("e/a")),
        layer(symlink("u", "/"), ("u/z", b"1"), ("s/a", b"2")),
        layer(whiteout("s"), symlink("s", "e/f"), ("s/b", b"9"), ("s/g/new", b"1")),
        layer(whiteout("e/f")),
    ],
    "links with more than they need": [
        layer("e/", symlink("s", "e"), "e/a", link("s/b", "e/a", records=_NOTE)),
        layer("c", link("d", "/c", records=_NOTE), link("x/../f", "c", records=_NOTE)),
        layer(link("g", "c", records=_NOTE)),
        layer(),
    ],
    "the root": [layer("./", "a", "b"), layer(opaque("")), layer(folder("."), "b"), layer("c")],
    "names that engines read differently": [
        layer(("../a", b"1"), ("x/../b", b"2"), "d/", ("d/../c", b"3")),
        layer(link("e", "../a"), ("x/../b", b"2")),
        layer(whiteout("a"), "d/f"),
    ],
}


def _read(tars: Sequence[bytes]) -> list[Changeset]:
    return [read_changeset(Bytes(tar), position) for position, tar in enumerate(tars)]


def _told(tars: Sequence[bytes]) -> Mapping[tuple[int, int], Saving]:
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


@pytest.mark.parametrize("tars", [*CORNERS.values(), *MORE.values()], ids=[*CORNERS, *MORE])
def test_corners_bring_what_is_told(tars: list[bytes]) -> None:
    """Every corner case: what each range would bring is what its plan says."""
    assert _told(tars) == _planned(tars)


@examples(500)
@given(layers)
def test_every_range_brings_what_is_told(drawn: list[list[Entry]]) -> None:
    """For any image and every range: the size told is the size of the plan, to the byte."""
    tars = tars_of(drawn)
    event(f"{len(tars)} layers")
    assert _told(tars) == _planned(tars)


@examples(150)
@given(st.lists(st.lists(operations, max_size=8), min_size=5, max_size=8).map(build))
def test_every_range_of_many_layers_brings_what_is_told(drawn: list[list[Entry]]) -> None:
    """The same where things come and go more often."""
    tars = tars_of(drawn)
    assert _told(tars) == _planned(tars)


def _squash_all(tars: Sequence[bytes]) -> None:
    """Really squash each range, and hold the sizes of all layers against what was told."""
    sizes = [len(tar) for tar in tars]
    for (first, last), saving in _told(tars).items():
        _, sink = squash(image(*tars), range(first - 1, last))
        after = [len(tar) for tar in sink.tars]
        assert after == [*sizes[: first - 1], saving.after, *sizes[last:]]
        assert sum(sizes) - sum(after) == saving.saved


@examples(60)
@given(layers)
def test_what_is_told_is_what_a_squash_writes(drawn: list[list[Entry]]) -> None:
    """Each range of any image is really squashed, and the bytes of the layers are counted."""
    _squash_all(tars_of(drawn))


@pytest.mark.parametrize("tars", [*CORNERS.values(), *MORE.values()], ids=[*CORNERS, *MORE])
def test_what_is_told_of_corners_is_what_a_squash_writes(tars: list[bytes]) -> None:
    """The same in every corner case."""
    _squash_all(tars)


def test_bytes_by_hand() -> None:
    """A file of 1000 bytes that the next layer deletes: two blocks and a header, and the mark."""
    tars = [layer("d/"), layer("d/", ("d/f", bytes(1000))), layer(whiteout("d/f"))]
    told = _told(tars)
    assert told[2, 3] == Saving(2, 3, before=(512 + 1536 + 1024) + (512 + 1024), after=512 + 1024)
    assert told[2, 3].saved == 3072
    assert told[1, 2].after == 512 + 1536 + 1024
    assert told[2, 2].saved == 0


def test_a_merged_layer_can_be_bigger() -> None:
    """A directory that lower layers made has to be said again, and that may not pay."""
    tars = [layer("d/", "d/e/", "d/f/"), layer("d/e/a", end=bytes(512)), layer("d/f/b", end=b"")]
    assert _told(tars)[2, 3].saved == 512 + 512 + 512 - (5 * 512 + 1024)


def test_damage_is_told_with_its_layer() -> None:
    """A sparse file whose map makes no sense: where it is."""
    broken = entry("s", b"0123456789" * 3, records=((b"GNU.sparse.map", b"0,x"),))
    with pytest.raises(MalformedTar, match="layer 2"):
        analyze(layer("a"), layer(broken))


def test_an_impossible_entry_is_told_with_its_layer() -> None:
    """A hard link to nothing: no tree can be made, and the message says where."""
    with pytest.raises(MalformedTar, match="layer 2"):
        lay(_read([layer("a"), layer(link("b", "nothing"))]))
