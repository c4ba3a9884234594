"""Dead paths, each told once and as a whole, and the tree of where bytes are."""

from __future__ import annotations

from hypothesis import given

from lamella.analysis.model import Dead, Usage
from lamella.merge.causes import Cause
from tests.analysis.looking import analyze
from tests.properties.strategies import layers, tars_of
from tests.support.examples import examples
from tests.support.tars import Entry, entry, layer, opaque, whiteout

BIG = b"x" * 2000


def told(*tars: bytes) -> list[tuple[str, int, int, int, str]]:
    """Path, bytes, layer, who took it away and why, of each row."""
    return [
        (row.path.decode() + "/" * row.directory, row.size, row.layer, row.by, row.cause)
        for row in analyze(*tars).dead
    ]


def test_deleted_directory_is_one_row() -> None:
    """With its own entry and all that is in it."""
    base = layer("d/", ("d/a", BIG), "d/e/", ("d/e/b", BIG), ("kept", b"k"))
    [row] = analyze(base, layer(whiteout("d"))).dead
    assert row == Dead(b"d", True, 2 * 512 + 2 * 2560, 4, 1, 2, Cause.DELETED)


def test_emptied_directory_is_one_row() -> None:
    """`rm -r d/*`: the directory itself lives, so its own entry is not counted."""
    base = layer("d/", ("d/a", BIG), ("d/b", BIG))
    assert told(base, layer(whiteout("d/a"), whiteout("d/b"))) == [("d/", 5120, 1, 2, "deleted")]


def test_directory_with_something_left_is_told_by_its_files() -> None:
    """And so are those above it."""
    base = layer("d/", ("d/a", BIG), ("d/b", BIG), ("d/c", b"c"), ("d/e/f", BIG), ("d/e/g", BIG))
    found = told(base, layer(whiteout("d/a"), whiteout("d/c"), whiteout("d/e")))
    assert found == [
        ("d/e/", 5120, 1, 2, "deleted"),
        ("d/a", 2560, 1, 2, "deleted"),
        ("d/c", 1024, 1, 2, Cause.DELETED),
    ]


def test_single_file_is_told_by_its_path() -> None:
    """Not by a directory that has nothing else dead in it."""
    base = layer("a/", "a/b/", ("a/b/model", BIG))
    assert told(base, layer("a/", "a/b/", ("a/b/model", b"new"))) == [
        ("a/b/model", 2560, 1, 2, "overwritten")
    ]


def test_whole_layer_is_not_the_root() -> None:
    """All of it is dead, and yet what was in it is told."""
    found = told(layer(("a", BIG), ("b", BIG)), layer(whiteout("a"), whiteout("b")))
    assert [path for path, *_ in found] == ["a", "b"]


def test_each_layer_has_its_own_row() -> None:
    """The same path twice, each with the layer that had it."""
    found = told(layer(("a", BIG)), layer(("a", BIG * 2)), layer(whiteout("a")))
    assert found == [("a", 4608, 2, 3, "deleted"), ("a", 2560, 1, 2, "overwritten")]


def test_directory_tells_who_took_the_last_and_the_main_cause() -> None:
    """One file was replaced, another one hidden two layers later."""
    found = told(
        layer("d/", ("d/a", BIG * 9), ("d/b", BIG)),
        layer(("d/b", BIG[1:])),
        layer("x"),
        layer(opaque("d")),
    )
    assert found[0] == ("d/", 2560 + 18944, 1, 4, "deleted")
    assert found[1] == ("d/b", 2560, 2, 4, "deleted")


def test_copy_with_another_owner() -> None:
    """`chown -R`: one row, and why."""
    files = [entry(f"app/{n}", BIG) for n in range(30)]
    owned = [entry(f"app/{n}", BIG, uid=7) for n in range(30)]
    assert told(layer(*files), layer(*owned)) == [("app/", 30 * 2560, 1, 2, "metadata_only")]


def test_rows_are_limited_and_the_biggest() -> None:
    """Of many files in directories that live on."""
    base = [entry(f"d{n % 7}/{n}", b"x" * (512 * n)) for n in range(1, 301)]
    kept = [entry(f"d{n}/kept", b"k") for n in range(7)]
    found = told(layer(*base, *kept), layer(*(whiteout(e.name) for e in base)))
    assert [size for _, size, *_ in found] == [512 * (n + 1) for n in range(300, 200, -1)]


@examples(80)
@given(layers)
def test_rows_are_apart_and_add_up(drawn: list[list[Entry]]) -> None:
    """Nothing is told twice, nor more than is dead."""
    found = analyze(*tars_of(drawn))
    for facts in found.layers:
        rows = [row for row in found.dead if row.layer == facts.number]
        assert sum(row.size for row in rows) <= facts.dead.total
        for folder in (row.path + b"/" for row in rows if row.directory):
            assert not [row.path for row in rows if row.path.startswith(folder)]
    assert list(found.dead) == sorted(found.dead, key=lambda row: -row.size)


def shape(place: Usage) -> dict[str, tuple[int, int]]:
    """Live and dead bytes by path."""
    found = {place.name.decode(): (place.live, place.dead)}
    for kid in place.kids:
        found |= {f"{place.name.decode()}/{path}": sums for path, sums in shape(kid).items()}
    return found


def test_tree_has_live_and_dead_bytes_of_all_layers() -> None:
    """Directories and files, the root with all."""
    root = analyze(
        layer("a/", ("a/x", BIG), ("a/y", BIG)), layer(("a/x", BIG * 2), whiteout("a/y"))
    ).root
    assert shape(root) == {
        "": (512 + 4608, 5120),
        "/a": (512 + 4608, 5120),
        "/a/x": (4608, 2560),
        "/a/y": (0, 2560),
    }
    assert root.entries == 4


def by_layer(place: Usage) -> dict[str, dict[int, int]]:
    """Live bytes of each layer, by path."""
    found = {place.name.decode(): dict(place.layers)}
    for kid in place.kids:
        found |= {f"{place.name.decode()}/{path}": sizes for path, sizes in by_layer(kid).items()}
    return found


def test_tree_has_the_layers_of_what_is_live() -> None:
    """Neither those of what is dead, nor those that only delete."""
    root = analyze(
        layer("a/", ("a/x", BIG), ("a/y", BIG), ("a/b/z", BIG)),
        layer(("a/x", BIG * 2), whiteout("a/y")),
        layer("a/", ("w", b"")),
    ).root
    assert by_layer(root) == {
        "": {1: 2560, 2: 4608, 3: 1024},
        "/a": {1: 2560, 2: 4608, 3: 512},
        "/a/b": {1: 2560},
        "/a/b/z": {1: 2560},
        "/a/x": {2: 4608},
        "/a/y": {},
        "/w": {3: 512},
    }


@examples(80)
@given(layers)
def test_layers_of_a_place_add_up(drawn: list[list[Entry]]) -> None:
    """To its live bytes."""
    stack = [analyze(*tars_of(drawn)).root]
    while stack:
        place = stack.pop()
        assert sum(size for _, size in place.layers) == place.live
        stack += place.kids


def test_tree_of_a_small_image_has_all_files() -> None:
    """Empty ones too: their headers are bytes."""
    root = analyze(layer("a/", ("a/full", BIG), ("a/empty", b""))).root
    assert shape(root)["/a/empty"] == (512, 0)


def test_tree_stays_small() -> None:
    """Of 20,000 files in 2,000 directories only what counts is told, and the sums are whole."""
    files = [entry(f"a{n % 2}/b{n % 2000}/c/{n}", b"") for n in range(20_000)]
    root = analyze(layer(*files, ("a0/large", b"x" * 600_000))).root
    assert len(shape(root)) < 100
    assert root.live == 20_000 * 512 + 512 + 600_064
    assert "/a0/large" in shape(root)


def test_tree_of_a_deep_path_is_cut() -> None:
    """Its bytes are in what is above."""
    root = analyze(layer(("a/" * 30 + "f", BIG))).root
    assert max(path.count("/") for path in shape(root)) == 8
    assert all(live == 2560 for live, _ in shape(root).values())


def test_image_without_entries() -> None:
    """Nothing is live, nothing dead."""
    found = analyze(layer())
    assert found.dead == ()
    assert (found.root.live, found.root.dead, found.root.kids) == (0, 0, ())
