"""The layer chapter of the image specification, sentence by sentence.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from tests.merge.seeing import member, names, rows
from tests.support.squashing import merge
from tests.support.tars import (
    MTIME,
    Entry,
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

ALL_ATTRIBUTES: dict[str, Any] = {
    "mode": 0o4751,
    "uid": 1234,
    "gid": 4321,
    "mtime": MTIME + 987_654_321,
    "uname": b"user",
    "gname": b"group",
    "xattrs": {b"user.note": b"kept", b"security.capability": b"\1\0\0\2\0\4\0\0"},
}


def test_packaged_in_tar() -> None:
    """Layer Changesets MUST be packaged in tar archive."""
    tar = merge(layer("d/", ("d/f", b"x")), layer(symlink("s", "d")))
    with tarfile.open(fileobj=io.BytesIO(tar)) as read:
        assert read.getnames() == ["d", "d/f", "s"]


def test_no_duplicate_entries() -> None:
    """Layer Changesets MUST NOT include duplicate entries for file paths in the resulting tar."""
    tar = merge(layer("d/", ("f", b"1"), ("./f", b"2"), "d/"), layer("d", "d/", ("f", b"3")))
    assert names(tar) == ["d/", "f"]
    assert member(tar, "f").content == b"3"


@pytest.mark.parametrize(
    "made",
    [
        entry("x", b"content", **ALL_ATTRIBUTES),
        folder("x", **{**ALL_ATTRIBUTES, "mode": 0o1770}),
        symlink("x", "to", uid=7, gid=8, mtime=MTIME + 1),
        device("x", 7, 300, kind=b"4", **ALL_ATTRIBUTES),
        device("x", 1, 3, **ALL_ATTRIBUTES),
        fifo("x", **ALL_ATTRIBUTES),
    ],
    ids=["file", "directory", "symlink", "block device", "character device", "fifo"],
)
@pytest.mark.parametrize("above", [0, 1])
def test_file_attributes(made: Entry, above: int) -> None:
    """Where supported, MUST include file attributes for Additions and Modifications."""
    tars = layer("x"), layer("y"), layer(made)
    merged = merge(*tars, above=above)
    assert made.encode() in merged
    assert rows(*tars[:above], merged)["x"] == rows(layer(made))["x"]


def test_hard_link_reference() -> None:
    """Hardlinks are a concept for having one or more directory entries for the same file."""
    merged = merge(layer(("a", b"x")), layer("y"), layer(link("b", "a")))
    assert (member(merged, "b").type, member(merged, "b").link) == (b"1", b"a")


@pytest.mark.parametrize("record", [b"MSWINDOWS.fileattr", b"MSWINDOWS.rawsd", b"LIBARCHIVE.x"])
def test_platform_specific_attributes(record: bytes) -> None:
    """Implementations on Windows MUST support these additional attributes, in PAX extensions."""
    made = entry("a", b"x", records=((record, b"value"),))
    promoted = merge(layer("z"), layer(made, link("b", "a")), layer(whiteout("a")), above=1)
    assert record + b"=value\n" in promoted
    assert made.encode() in merge(layer(made), layer("y"))


def test_only_the_changeset() -> None:
    """A tar archive is then created which contains only this changeset, files in their entirety."""
    base = layer("bin/", ("bin/a", b"1"), ("bin/b", b"1"), "etc/", "etc/old")
    above = layer("etc/new/"), layer(("bin/b", b"22"), whiteout("etc/old"))
    merged = merge(base, *above, above=1)
    assert sorted(names(merged)) == ["bin/", "bin/b", "etc/", "etc/.wh.old", "etc/new/"]


def test_example_of_the_chapter() -> None:
    """Added, modified, deleted: the resulting files are those of the chapter's example."""
    base = layer("./", "./etc/", "./etc/my-app-config", "./bin/", "./bin/my-app-binary", "./bin/t")
    change = layer("./etc/my-app.d/", "./etc/my-app.d/default.cfg", ("./bin/t", b"2"))
    gone = layer("./etc/.wh.my-app-config")
    want = ["bin", "bin/my-app-binary", "bin/t", "etc", "etc/my-app.d", "etc/my-app.d/default.cfg"]
    assert list(rows(merge(base, change, gone))) == want
    assert list(rows(base, merge(base, change, gone, above=1))) == want


def test_directory_over_directory() -> None:
    """If both are directories, the existing path's attributes MUST be replaced."""
    tars = layer(folder("d", 0o700, uid=1), "d/kept"), layer(folder("d", 0o755, uid=2)), layer()
    for merged in (merge(*tars), merge(*tars, above=1)):
        assert (member(merged, "d").mode, member(merged, "d").uid) == (0o755, 2)
    assert "d/kept" in rows(merge(*tars))


@pytest.mark.parametrize("old", ["d/", ("d", b"file"), symlink("d", "e"), fifo("d")])
@pytest.mark.parametrize("new", ["d/", ("d", b"new"), symlink("d", "f"), device("d", 1, 5)])
def test_in_all_other_cases(old: Entry | str, new: Entry | str) -> None:
    """In all other cases: removing the file path, recreating the file path."""
    tars = layer("x"), layer(old), layer(new)
    for above in (0, 1):
        assert rows(*tars[:above], merge(*tars, above=above))["d"] == rows(layer(new))["d"]


def test_directory_is_removed_with_all_in_it() -> None:
    """Removing the path of a directory removes what is in it."""
    assert list(rows(merge(layer("d/", "d/in"), layer("d")))) == ["d"]


def test_whiteout_itself_is_hidden() -> None:
    """Once a whiteout is applied, the whiteout itself MUST also be hidden."""
    assert names(merge(layer("f", "g"), layer(whiteout("f")))) == ["g"]


def test_whiteouts_apply_to_lower_layers() -> None:
    """Whiteout files MUST only apply to resources in lower/parent layers."""
    tars = layer("x", "f"), layer("f", "g", whiteout("f"), whiteout("g")), layer("y")
    assert list(rows(merge(*tars))) == ["f", "g", "x", "y"]
    assert names(merge(*tars, above=1)) == ["f", "g", "y"]


def test_subsequent_whiteouts_hide() -> None:
    """Files of a whiteout's layer can only be hidden by whiteout files in subsequent layers."""
    assert names(merge(layer("f", whiteout("f")), layer(whiteout("f")))) == []


@pytest.mark.parametrize("first", [True, False], ids=["marker first", "marker last"])
def test_opaque_is_applied_first(first: bool) -> None:
    """The opaque whiteout is applied first, regardless of the ordering in which it was met."""
    base = layer("a/", "a/b/", "a/b/c/", "a/b/c/bar")
    new = ["a/b/", "a/b/c/", "a/b/c/foo"]
    change = layer("a/", opaque("a"), *new) if first else layer("a/", *new, opaque("a"))
    want = ["a", "a/b", "a/b/c", "a/b/c/foo"]
    assert list(rows(merge(base, change))) == want
    merged = merge(base, change, layer(), above=1)
    assert names(merged) == ["a/", "a/.wh..wh..opq", *new]
    assert list(rows(base, merged)) == want


def test_whiteouts_come_before_siblings() -> None:
    """Layers SHOULD be such that the whiteout files appear before sibling directory entries."""
    base = layer("d/", "d/a", "d/b", "e")
    tars = base, layer("d/c", "x"), layer(whiteout("d/b"), whiteout("e"))
    assert names(merge(*tars, above=1)) == [".wh.e", "d/", "d/.wh.b", "d/c", "x"]


def test_opaque_hides_all_children() -> None:
    """An opaque whiteout file hides all children, sub-directories and all descendants."""
    base = layer("bin/", "bin/app", "bin/tools/", "bin/tools/one")
    merged = merge(base, layer("x"), layer("bin/", opaque("bin")), above=1)
    assert list(rows(base, merged)) == ["bin", "x"]
    assert list(rows(merge(base, layer("bin/", opaque("bin"))))) == ["bin"]


def test_both_forms_are_accepted() -> None:
    """Layers SHOULD have explicit whiteouts, but implementations MUST accept both."""
    base = layer("bin/", "bin/a", "bin/t/", "bin/t/b")
    hidden = merge(base, layer("bin/", opaque("bin")))
    assert hidden == merge(base, layer("bin/", whiteout("bin/a"), whiteout("bin/t")))


def test_explicit_whiteouts_stay_explicit() -> None:
    """A removal of one entry is not made into one of all."""
    base = layer("bin/", "bin/a", "bin/b")
    merged = merge(base, layer(whiteout("bin/a")), layer(whiteout("bin/b")), above=1)
    assert names(merged) == ["bin/", "bin/.wh.a", "bin/.wh.b"]
