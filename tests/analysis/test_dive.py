"""dive's figures: worked out by hand after its own account of them (see analysis/dive.py)."""

from __future__ import annotations

import pytest

from tests.analysis.looking import analyze
from tests.support.tars import entry, folder, layer, link, opaque, whiteout


@pytest.mark.parametrize(
    ("tars", "smallest", "total", "wasted"),
    [
        # Each path once: a perfect image, and so is an empty one.
        ([layer(("a", b"x" * 10)), layer(("b", b"x" * 5))], 15, 15, 0),
        ([layer("a/", "b")], 0, 0, 0),
        # Twice: the smaller one counts, both are waste.
        ([layer(("a", b"x" * 10)), layer(("a", b"x" * 4)), layer(("b", b"x"))], 5, 15, 14),
        # A deleted file: its smallest size is nothing, all of it is waste.
        ([layer(("a", b"x" * 10), ("b", b"x" * 7)), layer(whiteout("a"))], 7, 17, 10),
        # A deleted directory counts as large as all in it, which is told once more by itself.
        ([layer("d/", ("d/a", b"x" * 10)), layer(whiteout("d"))], 20, 20, 0),
        # … unless the directory was never said to be one,
        (
            [layer(("d/a", b"x" * 10)), layer(whiteout("d")), layer(("d", b"x" * 3))],
            10,
            13,
            3,
        ),
        # … and it is waste with the second time.
        (
            [layer("d/", ("d/a", b"x" * 10)), layer(whiteout("d")), layer(("d", b"x" * 3))],
            13,
            23,
            13,
        ),
        # What its own layer makes in it, and takes away again, was not removed with it.
        (
            [
                layer("d/", ("d/a", b"x" * 10)),
                layer(whiteout("d"), ("d/b", b"x" * 7), ("d/b", b"x" * 5)),
                layer(("d", b"x" * 3)),
            ],
            18,
            28,
            13,
        ),
        (
            [
                layer("d/", ("d/a", b"x" * 10)),
                layer(whiteout("d"), ("d/b", b"x" * 7), link("d/c", "d/b"), ("d/b", b"x" * 5)),
                layer(("d", b"x" * 3)),
            ],
            18,
            28,
            13,
        ),
        # An empty directory is a path like any other.
        ([layer("d/"), layer("d/", ("d/a", b"x" * 3)), layer(whiteout("d"))], 0 + 3, 6, 3),
        # Removed and made anew in one layer: twice.
        ([layer(("a", b"x" * 9)), layer(whiteout("a"), ("a", b"x" * 5))], 0, 14, 14),
        # Two entries of one name in a layer are one, the last.
        ([layer(("a", b"x" * 9), ("a", b"x" * 5))], 5, 5, 0),
        # Opaque markers have no effect, hard links no size.
        (
            [layer("d/", ("d/a", b"x" * 8)), layer("d/", opaque("d")), layer(link("b", "e"), "e")][
                :2
            ],
            8,
            8,
            0,
        ),
        ([layer(("a", b"x" * 8), link("b", "a")), layer(whiteout("b"))], 8, 8, 0),
        # A whiteout of nothing counts nothing.
        ([layer(("a", b"x" * 8)), layer(whiteout("b"), ("c", b"x"))], 9, 9, 0),
    ],
)
def test_efficiency_and_waste(tars: list[bytes], smallest: int, total: int, wasted: int) -> None:
    """The smallest sizes of all paths by all their sizes; what came more than once."""
    found = analyze(*tars)
    assert found.efficiency == (smallest / total if total else 1.0)
    assert found.wasted == wasted


def test_content_above_the_base() -> None:
    """Of all entries above the first layer, those of one name too; a directory has no content."""
    found = analyze(
        layer(("base", b"x" * 1000)),
        layer(folder("d"), ("a", b"x" * 10), ("a", b"x" * 20), whiteout("base")),
        layer(entry("d/b", b"x" * 300)),
    )
    assert found.user_bytes == 330


def test_sparse_file_counts_whole() -> None:
    """Its size, not that of its parts."""
    sparse = entry(
        "s",
        b"1\n0\n512\n".ljust(512, b"\0") + b"x" * 512,
        records=(
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", b"s"),
            (b"GNU.sparse.realsize", b"9000"),
        ),
    )
    assert analyze(layer("a"), layer(sparse)).user_bytes == 9000
