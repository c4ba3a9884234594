"""What is remembered of ranges of layers holds as long as a merge writes the same sizes."""

from __future__ import annotations

from pathlib import Path

from lamella.fleet.ranges import MAKING
from lamella.fleet.scan import scan_fleet
from lamella.transport.environment import Environment
from tests.support.images import docker_archive
from tests.support.tars import (
    device,
    entry,
    fifo,
    folder,
    layer,
    link,
    opaque,
    symlink,
    whiteout,
)

LONG = "long/" + "n" * 120
TARS = (
    layer(folder("a"), entry("a/one", b"1" * 700), link("a/two", "a/one"), symlink("s", "a")),
    layer("b/c/d", entry(LONG, b"l" * 3000), device("null", 1, 3), fifo("pipe"), entry("s/t", b"")),
    layer(whiteout("a/one"), entry("x", b"x" * 100, xattrs={b"user.k": b"v"}, mtime=1_500_000_000)),
    layer(folder("b", mode=0o700), opaque("b"), entry("b/new", b"n" * 20), whiteout("none")),
    layer(entry("a/two", b"2" * 700, format="gnu"), whiteout("long"), entry("a", b"no folder")),
)
"""Every kind of entry, and every rule that adds one to a merged layer or takes one away."""
SIZES: dict[int, tuple[tuple[int, ...], ...]] = {
    1: (
        (4096,),
        (12288, 7680),
        (13824, 12800, 3584),
        (13824, 12800, 6144, 3584),
        (7680, 7680, 6656, 4608, 4096),
    ),
}
"""Of every range, by what `MAKING` is."""


def test_sizes_of_merged_layers_are_those_that_are_remembered(tmp_path: Path) -> None:
    """If this fails because a merge writes other sizes now, count up `MAKING`, and add a line.

    Otherwise plans would be made of sizes that an older lamella found out.
    """
    (tmp_path / "a.tar").write_bytes(docker_archive(*TARS))
    rows = scan_fleet([str(tmp_path / "a.tar")], None, Environment()).rows
    assert tuple(map(tuple, rows)) == SIZES[MAKING]
