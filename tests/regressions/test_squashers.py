"""Images that other squashers get wrong, from archive to archive.

What a docstring says of "elsewhere" was seen with docker-squash 1.2.2 on these very archives.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lamella
from tests.properties.portable import complaints
from tests.properties.reference import Row, differences, flatten
from tests.support.images import docker_archive, made_by
from tests.support.tars import (
    MTIME,
    Raw,
    Spec,
    block,
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

BASE = layer("d/", ("d/old", b"old"), ("f", b"f"), "target/", ("target/file", b"t"))


@dataclass(frozen=True)
class Squashed:
    """A new archive, read with Python's own tools."""

    tars: list[bytes]
    config: dict[str, Any]
    rows: dict[str, Row]


Squash = Callable[..., Squashed]


@pytest.fixture
def squash(tmp_path: Path) -> Squash:
    """Squash the newest layers of an archive; see to what must hold of every squash."""

    def run(
        *tars: bytes, last: int | None = None, history: Sequence[dict[str, Any]] | None = None
    ) -> Squashed:
        source, target = tmp_path / "source.tar", tmp_path / "target.tar"
        source.write_bytes(docker_archive(*tars, history=history))
        before = source.read_bytes()
        lamella.squash(
            f"docker-archive:{source}", last=last, output=f"docker-archive:{target}", check=True
        )
        assert source.read_bytes() == before
        found = read_archive(target)
        kept = len(tars) - (last or len(tars))
        assert found.tars[:kept] == list(tars[:kept])
        assert len(found.tars) == kept + 1
        assert complaints(found.tars[-1], tars[:kept]) == []
        assert differences(flatten(found.tars), flatten(tars)) == []
        return found

    return run


def read_archive(path: Path) -> Squashed:
    """Read an archive as an engine would, and check its digests."""
    with tarfile.open(path) as archive:

        def read(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        (manifest,) = json.loads(read("manifest.json"))
        tars = [read(name) for name in manifest["Layers"]]
        config = json.loads(read(manifest["Config"]))
    digests = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
    assert config["rootfs"]["diff_ids"] == digests
    rows = {path.decode("latin-1"): row for path, row in flatten(tars).items()}
    return Squashed(tars, config, rows)


LONG = "usr/share/" + "p" * 100
"""A directory whose path needs the prefix field."""


def by_docker_17(path: str, kind: bytes = b"0", content: bytes = b"", target: str = "") -> Raw:
    """Return an entry as Docker up to 17.05 wrote it for a long path and a large user number."""
    prefix, _, name = path.rpartition("/")
    fields = {"uid": 8**7, "size": len(content), "magic": b"ustar  \0", "link": target.encode()}
    head = block(name.encode(), kind, prefix=prefix.encode(), **fields)  # type: ignore[arg-type]
    return Raw(head + content + bytes(-len(content) % 512))


@pytest.mark.parametrize("last", [2, None])
def test_prefix_with_the_magic_of_gnu(squash: Squash, last: int | None) -> None:
    """What is deleted or replaced above stays so; elsewhere the name lacks its directory."""
    kept = by_docker_17(f"{LONG}/kept", content=b"kept")
    old = layer(*(by_docker_17(f"{LONG}/{name}", content=b"old") for name in ("gone", "new")), kept)
    new = layer(whiteout(f"{LONG}/gone"), (f"{LONG}/new", b"new!"))
    found = squash(BASE, old, new, last=last).rows
    below = {path.removeprefix(LONG): row.size for path, row in found.items() if LONG in path}
    assert below == {"": 0, "/new": 4, "/kept": 4}
    assert not {"gone", "new", "kept"} & set(found)


@pytest.mark.parametrize("last", [2, 3])
def test_first_name_of_a_hard_link_is_changed_later(squash: Squash, last: int) -> None:
    """The other names keep the old content. Elsewhere they get the new one."""
    old = layer(("a", b"old"), link("b", "a"), link("c", "a"))
    rows = squash(BASE, old, layer(("a", b"new!")), last=last).rows
    assert (rows["a"].size, rows["b"].size, rows["b"].group) == (4, 3, (b"b", b"c"))


@pytest.mark.parametrize("last", [2, 3])
def test_first_name_of_a_hard_link_is_removed_later(squash: Squash, last: int) -> None:
    """The other names stay. Elsewhere they vanish."""
    old = layer(("a", b"old"), link("b", "a"), link("c", "a"))
    rows = squash(BASE, old, layer(whiteout("a")), last=last).rows
    assert "a" not in rows
    assert rows["c"].group == (b"b", b"c")


@pytest.mark.parametrize("last", [2, 3])
def test_directory_of_a_hard_link_is_removed_later(squash: Squash, last: int) -> None:
    """A name outside of it stays. Elsewhere it vanishes."""
    old = layer("p/", ("p/a", b"old"), link("b", "p/a"))
    assert squash(BASE, old, layer(whiteout("p")), last=last).rows["b"].size == 3


def test_hard_link_to_a_lower_layer(squash: Squash) -> None:
    """All names are said again, or the new layer could not be unpacked alone."""
    rows = squash(BASE, layer(link("g", "f")), layer("x"), last=2).rows
    assert rows["g"].group == (b"f", b"g")


def test_rm_rf_then_mkdir_above_a_base_that_has_it(squash: Squash) -> None:
    """The base's files stay deleted. Elsewhere they are back."""
    rows = squash(BASE, layer(whiteout("d")), layer("d/", ("d/new", b"1")), last=2).rows
    assert "d/old" not in rows
    assert "d/new" in rows


@pytest.mark.parametrize("between", [("d", b"file"), symlink("d", "target")])
def test_directory_replaced_and_made_again(squash: Squash, between: Spec) -> None:
    """It is a new directory. Elsewhere the base's files are back."""
    assert "d/old" not in squash(BASE, layer(between), layer("d/", "d/new"), last=2).rows


def test_rm_rf_and_mkdir_in_one_step(squash: Squash) -> None:
    """A whiteout and a directory of one layer. Elsewhere the directory is gone."""
    rows = squash(BASE, layer(whiteout("d"), "d/", "d/new"), layer("x"), last=2).rows
    assert sorted(path for path in rows if path.startswith("d")) == ["d", "d/new"]


@pytest.mark.parametrize("last", [2, 3])
def test_symlink_whose_target_is_removed_later(squash: Squash, last: int) -> None:
    """It dangles, and stays. Elsewhere it vanishes."""
    change = layer("t/", ("t/f", b"1"), symlink("s", "t/f"))
    assert squash(BASE, change, layer(whiteout("t/f")), last=last).rows["s"].link == b"t/f"


@pytest.mark.parametrize("last", [2, 3])
def test_whiteout_prefix_inside_a_name(squash: Squash, last: int) -> None:
    """Names that contain it are files. Elsewhere they are gone, and `notestxt` with them."""
    odd = ("a.wh.b", ("notes.wh.txt", b"1"), ".why", "x.wh./", ("x.wh./in", b"2"))
    rows = squash(BASE, layer(*odd, "notestxt", "ab"), layer("x"), last=last).rows
    assert {"a.wh.b", "notes.wh.txt", ".why", "x.wh.", "x.wh./in", "notestxt", "ab"} <= rows.keys()


@pytest.mark.parametrize("new", [("d", b"file"), fifo("d"), device("d", 1, 3), symlink("d", "f")])
@pytest.mark.parametrize("last", [2, 3])
def test_directory_replaced_by_something_else(squash: Squash, new: Spec, last: int) -> None:
    """Its children go with it. Elsewhere, squashed with the base, they are put beneath a file."""
    rows = squash(BASE, layer("x"), layer(new), last=last).rows
    assert rows["d"].type != b"5"
    assert "d/old" not in rows


@pytest.mark.parametrize("last", [2, 3])
def test_whiteout_and_new_file_in_one_layer(squash: Squash, last: int) -> None:
    """The whiteout is for the layers below. Elsewhere the new file is gone."""
    change = layer(whiteout("f"), ("f", b"new"))
    assert squash(BASE, change, layer("x"), last=last).rows["f"].size == 3


def test_lower_layers_without_directory_entries(squash: Squash) -> None:
    """Every directory gets an entry. Elsewhere none, and engines make them up."""
    merged = squash(layer("p/q/a"), layer("p/q/b"), layer("p/r/c"), last=2).tars[-1]
    assert [merged[at : at + 6].rstrip(b"\0") for at in (0, 512)] == [b"p/", b"p/q/"]


def test_attributes_of_directories_of_the_base(squash: Squash) -> None:
    """A directory that only leads to something new keeps its owner, mode, time and attributes."""
    made = folder("p", 0o2770, uid=7, gid=8, mtime=MTIME + 1, xattrs={b"user.a": b"b"})
    row = squash(layer(made), layer("p/x"), layer("p/y"), last=2).rows["p"]
    assert (row.mode, row.uid, row.gid, row.mtime) == (0o2770, 7, 8, MTIME + 1)


@pytest.mark.parametrize("last", [2, 3, 4])
def test_repeated_equal_layers(squash: Squash, last: int) -> None:
    """Layers are told apart by their place, though their digests are equal."""
    once = layer("d/", ("d/a", b"1"))
    assert "d/a" in squash(once, layer(whiteout("d")), once, once, last=last).rows


def test_no_history(squash: Squash) -> None:
    """An image without history stays one. Elsewhere it can't be squashed."""
    assert "history" not in squash(BASE, layer("x"), layer("y"), last=2).config


def test_history_with_steps_that_made_no_layer(squash: Squash) -> None:
    """As many entries with content as layers."""
    history = made_by("base", "(env)", "one", "(cmd)", "two")
    found = squash(BASE, layer("x"), layer("y"), last=2, history=history).config["history"]
    made = [entry["created_by"] for entry in found if not entry.get("empty_layer")]
    assert made == ["base", "lamella squash # 2 layers"]


def test_opaque_marker_at_the_root(squash: Squash) -> None:
    """All of the base is hidden. Elsewhere all of it stays if everything is squashed."""
    change = layer(opaque(""), "new")
    assert list(squash(BASE, change, layer("x"), last=3).rows) == ["new", "x"]
    assert list(squash(BASE, change, layer("x"), last=2).rows) == ["new", "x"]


@pytest.mark.parametrize("last", [2, 3])
def test_file_said_twice_in_one_layer(squash: Squash, last: int) -> None:
    """The last entry counts. Elsewhere it is the first."""
    assert squash(BASE, layer(("a", b"1"), ("./a", b"22")), layer(), last=last).rows["a"].size == 2


@pytest.mark.parametrize("last", [2, 3])
def test_nothing_is_lost_on_the_way(squash: Squash, last: int) -> None:
    """Nanoseconds, capabilities, huge owners, odd and long names."""
    change = layer(
        entry(
            "ping", b"1", mtime=MTIME + 123_456_789, xattrs={b"security.capability": b"\1\0\xff"}
        ),
        entry(b"caf\xe9", b"2", uid=2**32 - 2),
        entry("g" * 150, b"3", format="gnu", uid=2**31),
        ("n" * 120 + "/new\nline", b"4"),
    )
    rows = squash(BASE, change, layer("x"), last=last).rows
    assert rows["ping"].mtime == MTIME + 123_456_789
    assert rows["ping"].xattrs == ((b"security.capability", b"\1\0\xff"),)
    assert rows["caf\xe9"].uid == 2**32 - 2
