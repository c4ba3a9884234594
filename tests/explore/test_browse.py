"""What is told of each directory after each layer, against the layers laid over each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given

from lamella.analysis.browse import (
    ADDED,
    CHANGED,
    CHANGES,
    DELETED,
    UNCHANGED,
    Contents,
    Filter,
    Row,
    View,
)
from lamella.analysis.lifetimes import lay
from lamella.layer.blob import Bytes
from lamella.merge.changeset import read_changeset
from lamella.merge.overlay import Folder, Link, Tree
from lamella.tar.entry import Member
from tests.properties.corners import CORNERS
from tests.properties.strategies import layers, tars_of
from tests.support.examples import examples
from tests.support.tars import Entry, layer, link, opaque, symlink, whiteout

Key = tuple[bytes, bool]
"""A path, and whether it is a directory."""


State = dict[Key, tuple[Folder | Member | Link, Member | None]]
"""What is there, and the entry that each has."""


def _contents(*tars: bytes) -> Contents:
    return Contents(lay([read_changeset(Bytes(tar), at) for at, tar in enumerate(tars)]))


def _walk(view: View, folder: bytes = b"") -> Iterator[tuple[bytes, Row]]:
    """Open every directory."""
    for row in view.rows(folder):
        path = row.path(folder)
        yield path, row
        if row.directory:
            yield from _walk(view, path)


def _told(view: View, wanted: Filter = Filter()) -> dict[str, tuple[int, int, int]]:  # noqa: B008
    """By path: the change, and how many headers and blocks came and went."""
    found = {}
    stack = [b""]
    while stack:
        folder = stack.pop()
        for row in view.rows(folder, wanted):
            name = row.path(folder).decode() + ("/" if row.directory else "")
            found[name] = row.change, row.new // 512, row.gone // 512
            if row.directory:
                stack.append(row.path(folder))
    return found


# -- against a tree that is looked at after each layer


def _entry(node: Folder | Member | Link) -> Member | None:
    return node if isinstance(node, Member) else node.member


def _check(tars: Sequence[bytes]) -> None:
    changesets = [read_changeset(Bytes(tar), at) for at, tar in enumerate(tars)]
    contents = Contents(lay(changesets))
    tree = Tree()
    seen: State = {}
    for number, changeset in enumerate(changesets, 1):
        before = seen
        tree.apply(changeset)
        seen = {(p, isinstance(n, Folder)): (n, _entry(n)) for p, n in tree.walk()}
        rows = {(path, row.directory): row for path, row in _walk(contents.layer(number))}
        assert rows.keys() == before.keys() | seen.keys()
        for key, row in rows.items():
            _check_row(key, row, before, seen, number)
    image = {(path, row.directory): row for path, row in _walk(contents.image())}
    assert image.keys() == seen.keys()
    assert {row.change for row in image.values()} <= {UNCHANGED}


def _check_row(key: Key, row: Row, before: State, now: State, number: int) -> None:
    path, directory = key
    inner = [k for k in before.keys() | now.keys() if k == key or (directory and _under(k, path))]

    def span(state: State, keys: Sequence[Key], *, new: bool = False) -> int:
        entries = [state[k][1] for k in keys if k in state]
        return sum(e.span for e in entries if e is not None and (not new or e.origin == number - 1))

    replaced = [k for k in inner if k in before and (k not in now or before[k][1] is not now[k][1])]
    assert row.size == span(now, inner)
    assert row.new == span(now, inner, new=True)
    assert row.gone == span(before, replaced)
    if key not in before:
        assert row.change == ADDED
    elif key not in now:
        assert row.change == DELETED
    else:
        moved = [k for k in inner if k not in before or k not in now or _differ(before[k], now[k])]
        assert row.change == (CHANGED if moved else UNCHANGED)


def _under(key: Key, path: bytes) -> bool:
    return key[0].startswith(path + b"/")


def _differ(
    one: tuple[Folder | Member | Link, Member | None],
    other: tuple[Folder | Member | Link, Member | None],
) -> bool:
    if one[1] is not other[1]:
        return True
    return isinstance(one[0], Folder) and one[0] is not other[0]


@pytest.mark.parametrize("name", CORNERS)
def test_corners(name: str) -> None:
    """In every corner case each row is what the layers make of it."""
    _check(CORNERS[name])


@examples(150)
@given(layers)
def test_any_image(drawn: list[list[Entry]]) -> None:
    """The same in any image."""
    _check(tars_of(drawn))


# -- by hand


@pytest.fixture(scope="module")
def contents() -> Contents:
    """Three layers."""
    return _contents(
        layer("d/", ("d/a", bytes(1000)), "d/b", "d/e/", "d/e/f", symlink("s", "d"), "kept"),
        layer("d/", ("d/a", bytes(3000)), whiteout("d/e"), "d/c", link("d/h", "d/c")),
        layer("d/", opaque("d"), ("B", bytes(9000))),
    )


def test_what_a_layer_did(contents: Contents) -> None:
    """Added, changed, deleted, each with its blocks; a directory with all in it."""
    assert _told(contents.layer(2), Filter(CHANGES)) == {
        "d/": (CHANGED, 1 + 7 + 1 + 1, 1 + 3 + 1 + 1),
        "d/a": (CHANGED, 7, 3),
        "d/c": (ADDED, 1, 0),
        "d/h": (ADDED, 1, 0),
        "d/e/": (DELETED, 0, 2),
        "d/e/f": (DELETED, 0, 1),
    }
    assert _told(contents.layer(3), Filter(DELETED)).keys() == {"d/", "d/a", "d/b", "d/c", "d/h"}
    assert _told(contents.layer(2), Filter(UNCHANGED)).keys() == {"d/", "d/b", "s", "kept"}


def test_the_image_tells_where_each_file_is_from(contents: Contents) -> None:
    """Nothing of it is a change."""
    rows = dict(_walk(contents.image()))
    assert {path: row.layer for path, row in rows.items()} == {
        b"d": 0,
        b"B": 3,
        b"s": 1,
        b"kept": 1,
    }
    assert rows[b"s"].link == b"d"
    assert contents.image().root().size == 512 * (19 + 1 + 1 + 1)


def test_most_bytes_come_first(contents: Contents) -> None:
    """Of what a layer moved; then of what is there."""
    assert [row.name for row in contents.layer(2).rows(b"d")][:2] == [b"a", b"e"]
    assert [row.name for row in contents.image().rows(b"")] == [b"B", b"d", b"kept", b"s"]


def test_small_rows_are_left_out(contents: Contents) -> None:
    """But not what was deleted."""
    names = [row.name for row in contents.layer(2).rows(b"d", Filter(smallest=1024))]
    assert names == [b"a", b"e"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (b"b", [b"B", b"d/b"]),
        (b"B", [b"B"]),
        (b"d/", [b"d/a", b"d/b", b"d/c", b"d/e", b"d/e/f", b"d/h"]),
        (b"nothing", []),
    ],
)
def test_search(text: bytes, paths: list[bytes]) -> None:
    """Names, whatever their case if no capital is typed; paths if there is a slash."""
    view = _contents(layer("d/", "d/a", "d/b", "d/c", "d/e/", "d/e/f", "d/h", "B")).image()
    found = view.search(text)
    assert sorted(row.path(folder) for folder, row in found.rows) == paths
    assert found.total == len(paths)


def test_search_heeds_the_filter_and_gives_up(contents: Contents) -> None:
    """Only rows that are wanted themselves; no more than are asked for; none when stopped."""
    view = contents.layer(2)
    deleted = view.search(b"", Filter(DELETED))
    assert sorted(row.path(folder) for folder, row in deleted.rows) == [b"d/e", b"d/e/f"]
    assert [row.name for _, row in view.search(b"", most=1).rows] == [b"d"]
    assert view.search(b"", stop=lambda: True).total == 1
