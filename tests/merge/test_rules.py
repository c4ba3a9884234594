"""What engines make of layers where the specification is silent or they disagree.

Each test's docstring is the rule. Two families of engines: those that unpack each layer alone and
stack the results (overlay), and those that unpack one over the other.
"""

from __future__ import annotations

import io
import tarfile

import pytest

from lamella.errors import MalformedTar, Unsupported
from tests.merge.seeing import member, names, rows
from tests.properties.check import check_every_selection
from tests.support.sparse import FORMS, sparse
from tests.support.squashing import merge, plan_of
from tests.support.tars import (
    MTIME,
    Entry,
    Raw,
    Spec,
    device,
    entry,
    extended,
    fifo,
    folder,
    layer,
    link,
    opaque,
    pax_records,
    symlink,
    whiteout,
)

BASE = layer("d/", ("d/old", b"old"), ("f", b"f"))


def above(*changes: bytes, base: bytes = BASE) -> list[str]:
    """List the names of the layer that stands for changes to a base."""
    return names(merge(base, layer(), *changes, above=1))


# -- whiteouts


def test_a1_deleted_file_of_the_base_keeps_its_whiteout() -> None:
    """The base shows it, so the merged layer must hide it."""
    assert above(layer(whiteout("f"))) == [".wh.f"]


def test_a2_added_and_deleted_leaves_nothing() -> None:
    """What only the squashed layers knew is gone without a whiteout."""
    assert above(layer("x", "d/x"), layer(whiteout("x"), whiteout("d/x"))) == []


def test_a3_changed_and_deleted_leaves_the_whiteout() -> None:
    """The change is gone, the base's file still has to be hidden."""
    assert above(layer(("f", b"2")), layer(whiteout("f"))) == [".wh.f"]


@pytest.mark.parametrize("new", [("f", b"2"), symlink("f", "d"), fifo("f")])
def test_a4_deleted_and_made_again_needs_no_whiteout(new: Spec) -> None:
    """An entry that is not a directory replaces whatever is below it."""
    assert above(layer(whiteout("f")), layer(new)) == ["f"]


@pytest.mark.parametrize(
    "between", [whiteout("d"), ("d", b"file"), symlink("d", "f"), fifo("d")], ids=lambda e: "broken"
)
def test_a5_directory_made_again_is_opaque(between: Spec) -> None:
    """Deleted or replaced, and a directory again: the base's content must stay hidden."""
    assert above(layer(between), layer("d/", "d/new")) == ["d/", "d/.wh..wh..opq", "d/new"]


def test_a5_opaque_only_if_there_is_something_to_hide() -> None:
    """An empty directory of the base needs no marker."""
    assert above(layer(whiteout("e")), layer("e/"), base=layer("e/")) == ["e/"]


@pytest.mark.parametrize("entries", [(whiteout("f"), "f"), ("f", whiteout("f"))])
def test_a6_whiteout_and_file_in_one_layer(entries: tuple[Spec, ...]) -> None:
    """In either order the file is what counts, and the pair is never written."""
    assert above(layer(*entries)) == ["f"]


def test_a7_implied_directory_after_its_whiteout_is_fresh() -> None:
    """A child under a deleted directory makes a new one, as root's with mode 755."""
    merged = merge(BASE, layer(whiteout("d"), "d/new"), layer(), above=1)
    assert names(merged) == ["d/", "d/.wh..wh..opq", "d/new"]
    assert (member(merged, "d").mode, member(merged, "d").uid) == (0o755, 0)


def test_a8_only_the_topmost_whiteout_stays() -> None:
    """Overlay engines refuse whiteouts beneath a deleted directory."""
    assert above(layer(whiteout("d"), whiteout("d/old"))) == [".wh.d"]
    assert above(layer(whiteout("d/old")), layer(whiteout("d"))) == [".wh.d"]


@pytest.mark.parametrize("path", ["no", "d/no", "no/no", "new/no", "f/no"])
def test_a9_whiteout_of_nothing_goes(path: str) -> None:
    """On overlay engines it would be a name without a file."""
    assert above(layer("new/", "new/x", whiteout(path))) == ["new/", "new/x"]


def test_a9_no_whiteout_in_a_directory_that_is_new() -> None:
    """What was deleted inside a directory of the squashed layers needs no whiteout."""
    assert above(layer("new/", "new/x"), layer(whiteout("new/x"))) == ["new/"]
    assert above(layer("d/", opaque("d")), layer(whiteout("d/old"))) == ["d/", "d/.wh..wh..opq"]


def test_a10_whiteout_of_a_hard_link_removes_one_name() -> None:
    """The other names keep the content."""
    base = layer(("a", b"1"), link("b", "a"))
    assert above(layer(whiteout("a")), base=base) == [".wh.a"]
    assert rows(merge(base, layer(whiteout("a"))))["b"].size == 1


def test_a11_whiteout_of_a_symlink_spares_its_target() -> None:
    """It removes the symlink only."""
    base = layer("e/", "e/x", symlink("s", "e"))
    assert above(layer(whiteout("s")), base=base) == [".wh.s"]


def test_a11_no_whiteout_through_a_symlink() -> None:
    """Paths are taken as they are: a symlink of a lower layer is not a directory."""
    base = layer("e/", "e/x", symlink("s", "e"))
    assert above(layer(whiteout("s/x")), base=base) == []


@pytest.mark.parametrize(
    "mark",
    [
        entry(".wh.f", b"data"),
        folder(".wh.f"),
        symlink(".wh.f", "x"),
        link(".wh.f", "d/old"),
        device(".wh.f", 0, 0),
    ],
    ids=["data", "directory", "symlink", "hard link", "device"],
)
def test_a12_type_of_a_whiteout_means_nothing(mark: Entry) -> None:
    """Its name is what makes a whiteout; it is written as an empty file."""
    merged = merge(BASE, layer(mark), layer(), above=1)
    assert names(merged) == [".wh.f"]
    assert (member(merged, ".wh.f").type, member(merged, ".wh.f").content) == (b"0", b"")


@pytest.mark.parametrize("name", [".wh.", "d/.wh.", ".wh..", "d/.wh..", ".wh...", "d/.wh..."])
def test_a13_whiteout_of_no_name_is_refused(name: str) -> None:
    """An empty name, `.` and `..` can't be deleted."""
    with pytest.raises(MalformedTar, match="whiteout"):
        merge(BASE, layer(name))


def test_a13_whiteout_of_the_longest_name() -> None:
    """A name of 255 bytes has a whiteout of 259, which is fine in a tar."""
    name = "n" * 255
    assert above(layer(whiteout(name)), base=layer(name)) == [f".wh.{name}"]


@pytest.mark.parametrize("name", [".wh", ".why", "wh..wh..opq", ".opq", "a.wh.b", "x.wh..wh..opq"])
def test_a14_ordinary_names(name: str) -> None:
    """Only the beginning of a base name counts."""
    assert above(layer(name, f"{name}d/", f"{name}d/{name}")) == [
        name,
        f"{name}d/",
        f"{name}d/{name}",
    ]
    assert "a" in rows(merge(layer("a", "b"), layer(name)))


# -- opaque markers


@pytest.mark.parametrize("entries", [("d/", opaque("d"), "d/n"), ("d/n", "d/", opaque("d"))])
def test_b1_marker_comes_right_after_its_directory(entries: tuple[Spec, ...]) -> None:
    """Wherever it stood; it hides what is below, not the layer's own entries."""
    assert above(layer(*entries)) == ["d/", "d/.wh..wh..opq", "d/n"]


def test_b2_marker_over_base_and_squashed_layers() -> None:
    """What it hid in the squashed layers is dropped, what it hides in the base stays hidden."""
    assert above(layer("d/x", "d/e/", "d/e/y"), layer("d/", opaque("d"))) == [
        "d/",
        "d/.wh..wh..opq",
    ]


def test_b3_marker_then_additions() -> None:
    """Later children join those of the marker's layer."""
    changes = layer("d/", opaque("d"), "d/a"), layer("d/b")
    assert above(*changes) == ["d/", "d/.wh..wh..opq", "d/a", "d/b"]


def test_b4_vain_marker_goes() -> None:
    """Docker marks every new directory; the base has none, so there is nothing to hide."""
    assert above(layer("n/", opaque("n"), "n/x")) == ["n/", "n/x"]
    assert above(layer("d/e/", opaque("d/e"))) == ["d/", "d/e/"]


def test_b5_marker_without_its_directory_gets_the_base_s_entry() -> None:
    """The marker hides what is in the directory; the directory's own attributes stay."""
    base = layer(folder("d/", 0o700, uid=7, mtime=MTIME + 5), "d/old")
    changes = layer(opaque("d")), layer("d/new")
    merged = merge(base, *changes, above=1)
    assert names(merged) == ["d/", "d/.wh..wh..opq", "d/new"]
    assert rows(base, merged)["d"] == rows(base, *changes)["d"] == rows(base)["d"]


def test_b6_marker_after_an_implied_directory() -> None:
    """A directory without an entry of its own is not hidden with the lower ones."""
    base = layer("d/", "d/old", "d/e/", "d/e/old")
    assert above(layer("d/e/new", "d/", opaque("d")), base=base) == [
        *("d/", "d/.wh..wh..opq", "d/e/", "d/e/new"),
    ]


def test_b7_marker_at_the_root_becomes_whiteouts() -> None:
    """Overlay engines ignore it there, so every name of the base is deleted one by one."""
    assert above(layer(opaque(""), "new", "f")) == [".wh.d", "new", "f"]
    assert list(rows(merge(BASE, layer(opaque(""), "new")))) == ["new"]


def test_b8_marker_where_no_directory_is() -> None:
    """In nothing or in a file it hides nothing."""
    assert above(layer(opaque("no"), opaque("f"), opaque("no/no"))) == []


def test_b9_no_whiteout_beside_a_marker() -> None:
    """The marker says it all."""
    assert above(layer("d/", opaque("d"), whiteout("d/old"))) == ["d/", "d/.wh..wh..opq"]


# -- types, parents, attributes


def test_c1_replaced_by_another_type() -> None:
    """The entry replaces what is below, with all in it; no whiteout is needed."""
    for new in (("d", b"x"), symlink("d", "f"), device("d", 1, 3), fifo("d")):
        assert above(layer(new)) == ["d"]
        check_every_selection([BASE, layer(new), layer("x")])


def test_c1_directory_in_place_of_a_file_shares_nothing() -> None:
    """A file has nothing to hide, so the new directory needs no marker."""
    assert above(layer("f/", "f/in")) == ["f/", "f/in"]


def test_c2_child_beneath_a_symlink_of_a_lower_layer() -> None:
    """The symlink gives way to a directory, as on overlay engines; its target stays."""
    base = layer("e/", "e/x", symlink("s", "e"))
    merged = merge(base, layer("s/new"), layer(), above=1)
    assert names(merged) == ["s/", "s/new"]
    assert sorted(rows(base, merged)) == ["e", "e/x", "s", "s/new"]


def test_c2_child_beneath_a_symlink_of_its_layer() -> None:
    """The symlink is followed, as on all engines, and the child is written where it is."""
    merged = merge(layer("x"), layer("e/", symlink("s", "e"), ("s/in", b"1")))
    assert names(merged) == ["x", "e/", "s", "e/in"]
    assert member(merged, "e/in").content == b"1"


def test_c2_loop_of_symlinks_is_refused() -> None:
    """No engine can unpack it."""
    with pytest.raises(MalformedTar, match="loop"):
        merge(layer("x"), layer(symlink("a", "b"), symlink("b", "a"), "a/in"))


def test_c3_child_beneath_a_lower_file() -> None:
    """The file gives way to a directory."""
    assert above(layer("f/in")) == ["f/", "f/in"]


def test_c4_every_parent_has_an_entry() -> None:
    """Engines make parents up, each in its own way; so the base's are said again."""
    base = layer(folder("p/", 0o710, uid=5, mtime=MTIME + 9, xattrs={b"user.a": b"b"}), "p/q/x")
    merged = merge(base, layer("p/q/new"), layer(), above=1)
    assert names(merged) == ["p/", "p/q/", "p/q/new"]
    assert rows(merged)["p"] == rows(base)["p"]
    assert (member(merged, "p/q").mode, member(merged, "p/q").mtime) == (0o755, 0)


def test_c5_attributes_of_the_upper_directory_count() -> None:
    """Also extended attributes, which go if the upper entry has none."""
    base = layer(folder("p", xattrs={b"user.a": b"b"}), "p/x")
    merged = merge(base, layer(folder("p", 0o700)), layer("p/y"), above=1)
    assert member(merged, "p").xattrs == ()
    assert rows(base, merged)["p"].mode == 0o700


def test_c6_last_entry_of_the_root_stays() -> None:
    """Some engines apply it; it comes first."""
    tars = layer(folder("./", 0o700), "a"), layer("b", folder("./", 0o755))
    merged = merge(*tars)
    assert names(merged) == ["./", "a", "b"]
    assert member(merged, "").mode == 0o755


def test_c7_device_that_looks_like_a_whiteout_is_refused() -> None:
    """Character device 0:0 is overlay's own mark for a deleted file."""
    with pytest.raises(Unsupported, match="0:0"):
        merge(layer("x"), layer(device("dev/zero", 0, 0)))
    assert names(merge(layer("x"), layer(device("c", 0, 1), device("b", 0, 0, kind=b"4"))))


def test_c7_such_a_device_in_the_base_is_no_matter() -> None:
    """What isn't squashed isn't judged."""
    assert above(layer("x"), base=layer(device("zero", 0, 0))) == ["x"]


@pytest.mark.parametrize("mtime", [0, 1, MTIME + 999_999_999, -1_500_000_000, 2**40 * 10**9])
def test_c8_times_are_copied_as_they_are(mtime: int) -> None:
    """Engines clamp what they can't express; that is theirs to do."""
    tars = layer(entry("f", mtime=mtime)), layer("x")
    assert rows(merge(*tars))["f"].mtime == mtime


def test_c9_owners_and_modes_are_copied_as_they_are() -> None:
    """Up to 2^32-2, with set-user-ID and sticky bits."""
    made = entry("f", uid=2**32 - 2, gid=2**32 - 2, mode=0o6755)
    row = rows(merge(layer(made), layer("x")))["f"]
    assert (row.uid, row.gid, row.mode) == (2**32 - 2, 2**32 - 2, 0o6755)


def test_c10_overlay_marks_are_dropped() -> None:
    """An engine would take them for its own; every other attribute is kept."""
    xattrs = {b"trusted.overlay.opaque": b"y", b"user.overlay.x": b"1", b"trusted.a": b"kept"}
    merged = merge(layer(folder("d", xattrs=xattrs)), layer("x"))
    assert member(merged, "d").xattrs == ((b"trusted.a", b"kept"),)
    assert b"overlay" not in merged


def test_c11_storage_drivers_leftovers_go() -> None:
    """AUFS kept names of its own in old images, which mean nothing elsewhere."""
    left = ".wh..wh.plnk/", (".wh..wh.plnk/1.2", b"x"), ".wh..wh.aufs", "d/.wh..wh.orph/"
    assert above(layer(*left, "x")) == ["x"]
    assert names(merge(layer("a"), layer(*left))) == ["a"]


# -- hard links


def test_d1_links_stay_links() -> None:
    """A group of names across the squashed layers is one file."""
    merged = merge(layer(("a", b"x")), layer(link("b", "a")), layer(link("c", "b")))
    assert rows(merged)["c"].group == (b"a", b"b", b"c")
    assert [(m, member(merged, m).type) for m in "abc"] == [("a", b"0"), ("b", b"1"), ("c", b"1")]


@pytest.mark.parametrize("change", [whiteout("a"), ("a", b"new"), "a/", symlink("a", "b")])
def test_d2_first_name_gone_promotes_the_next(change: Spec) -> None:
    """The other names keep the old content; the first of them is now the file."""
    tars = layer("z"), layer(("a", b"old"), link("b", "a"), link("c", "a")), layer(change)
    merged = merge(*tars, above=1)
    assert (member(merged, "b").type, member(merged, "b").content) == (b"0", b"old")
    assert (member(merged, "c").type, member(merged, "c").link) == (b"1", b"b")
    (promotion,) = plan_of(*tars, above=1).promotions
    assert promotion == (b"a", b"b")


def test_d2_promoted_file_keeps_its_attributes() -> None:
    """Owner, time to the nanosecond, attributes: all but the name."""
    made = entry("a", b"old", mode=0o4711, uid=7, mtime=MTIME + 7, xattrs={b"user.a": b"b"})
    merged = merge(layer("z"), layer(made, link("b", "a")), layer(whiteout("a")), above=1)
    row, old = rows(merged)["b"], rows(layer(made))["a"]
    assert (row.mode, row.uid, row.mtime, row.xattrs) == (old.mode, old.uid, old.mtime, old.xattrs)


def test_d3_link_to_the_base_says_the_file_again() -> None:
    """Overlay engines refuse links to a lower layer, so all its names are said in this one."""
    base = layer(("a", b"x"), link("b", "a"), "p/", link("p/c", "a"))
    merged = merge(base, layer(link("d", "b")), layer(), above=1)
    assert rows(merged)["d"].group == (b"a", b"b", b"d", b"p/c")


@pytest.mark.parametrize(
    ("target", "fault"),
    [("no", "nothing"), ("d", "directory"), ("b", "itself"), ("d/no/x", "nothing")],
)
def test_d4_link_to_no_file_is_refused(target: str, fault: str) -> None:
    """To nothing, to a directory, to itself: no engine makes it."""
    with pytest.raises(MalformedTar, match=fault):
        merge(layer("d/"), layer(link("b", target)))


def test_d4_link_before_its_target_is_refused() -> None:
    """What isn't there yet can't be linked to."""
    with pytest.raises(MalformedTar, match="nothing"):
        merge(layer("x"), layer(link("b", "a"), "a"))


def test_d4_link_before_a_new_target_is_to_the_old_one() -> None:
    """If the name exists below, it is the old file that has two names."""
    merged = merge(layer(("a", b"old")), layer(link("b", "a"), ("a", b"new")))
    assert (member(merged, "a").content, member(merged, "b").content) == (b"new", b"old")


def test_d4_links_to_symlinks_and_through_them() -> None:
    """A symlink may have two names, and a target may be reached through a directory's symlink."""
    tars = (
        layer("x"),
        layer("e/", ("e/f", b"1"), symlink("s", "e"), link("g", "s/f"), link("t", "s")),
    )
    merged = merge(*tars)
    assert rows(merged)["g"].group == (b"e/f", b"g")
    assert rows(merged)["t"].group == (b"s", b"t")


def test_d5_link_headers_repeat_the_attributes() -> None:
    """Docker loses capabilities that a link's header doesn't repeat."""
    made = entry("a", mode=0o755, uid=3, xattrs={b"security.capability": b"\1\2"})
    merged = merge(layer(made), layer(link("b", "a", mode=0o600)))
    found = member(merged, "b")
    assert (found.mode, found.uid, found.mtime) == (0o755, 3, MTIME)
    assert found.xattrs == ((b"security.capability", b"\1\2"),)


def test_d6_last_of_two_entries_counts() -> None:
    """Two entries of one name: the last one; links made in between keep the first."""
    merged = merge(layer("x"), layer(("a", b"1"), link("b", "a"), ("./a", b"2")))
    assert (member(merged, "a").content, member(merged, "b").content) == (b"2", b"1")


# -- names and forms


@pytest.mark.parametrize("name", ["/f", ".//f", "x/../f", "../../f", "d//../f", "f/"])
def test_d7_names_are_written_plainly(name: str) -> None:
    """However a name was spelled, it is one path below the root."""
    assert names(merge(layer("x"), layer(entry(name, b"1")))) == ["x", "f"]


@pytest.mark.parametrize("target", ["/abs", "../../out", "nowhere", ".", "a//b", "x" * 150])
def test_d7_symlink_targets_are_data(target: str) -> None:
    """They are kept to the byte, wherever they lead."""
    assert member(merge(layer("x"), layer(symlink("s", target))), "s").link == target.encode()


def test_d7_targets_of_hard_links_are_plain() -> None:
    """An absolute target is one below the root."""
    merged = merge(layer("x"), layer("a", link("b", "/a"), link("c", "./a")))
    assert (member(merged, "b").link, member(merged, "c").link) == (b"a", b"./a")


def test_d8_global_headers_are_not_copied() -> None:
    """Engines never apply them, other readers do."""
    head = Raw(extended(b"g", pax_records([(b"comment", b"marked")])))
    merged = merge(layer(head, "a", head, ("b", b"x")), layer(head, "c"))
    assert names(merged) == ["a", "b", "c"]
    assert b"marked" not in merged


def test_d9_old_formats_are_copied_as_they_are() -> None:
    """V7, GNU long names, base-256 numbers: every engine reads them."""
    made = [
        entry("a", b"1", format="v7"),
        entry("g" * 150, b"2", format="gnu", uid=2**31),
        entry("p" * 90 + "/" + "n" * 90, b"3", format="ustar"),
    ]
    merged = merge(layer(*made[:2], folder("p" * 90), made[2]), layer("x"))
    assert all(one.encode() in merged for one in made)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["s", "ü", "long/" + "ü" * 40])
def test_d10_sparse_files_become_those_of_pax(form: str, path: str) -> None:
    """Engines refuse old GNU sparse files, and read those of PAX 1.0; holes stay holes."""
    parts, content = [(1000, 3), (4000, 600), (5000, 0)], b"x" * 603
    tars = layer("x"), layer(sparse(form, path, parts, 5000, content)), layer("y")
    merged = merge(*tars)
    whole = bytes(1000) + b"xxx" + bytes(2997) + b"x" * 600 + bytes(400)
    assert member(merged, path).content == whole
    assert (member(merged, path).type, member(merged, path).uid) == (b"0", 5)
    assert len(merged) == plan_of(*tars).size
    with tarfile.open(fileobj=io.BytesIO(merged)) as read:
        file = read.extractfile(path)
        assert file is not None
        assert file.read() == whole


@pytest.mark.parametrize("form", FORMS)
def test_d10_holes_cost_nothing(form: str) -> None:
    """A terabyte of zeros is said in some bytes, also under another name."""
    made = sparse(form, "s", [(8, 3)], 1 << 40, b"abc")
    assert len(merge(layer("x"), layer(made))) < 6000
    assert len(merge(layer(made, link("t", "s")), layer(whiteout("s")))) < 6000


@pytest.mark.parametrize("name", [b"\xff\xfe", b"new\nline", b"\x01\x7f", b"n" * 255, "ü".encode()])
def test_d11_any_bytes_can_be_a_name(name: bytes) -> None:
    """Not UTF-8, control characters, 255 bytes."""
    base, change = layer((name, b"1"), "x"), layer(whiteout(name))
    assert list(rows(merge(base, change))) == ["x"]
    assert merge(base, layer("y"), change, above=1).count(b".wh." + name[:50]) >= 1


def test_d12_what_follows_the_end_is_dropped() -> None:
    """Bytes after two zero blocks belong to the old layer's digest, not to its files."""
    merged = merge(layer("a", end=bytes(1024) + b"garbage" * 99), layer("b", end=b""))
    assert names(merged) == ["a", "b"]
    assert len(merged) == 2 * 512 + 1024


def test_d14_empty_layers() -> None:
    """A layer of nothing, of one zero block, of many."""
    assert names(merge(b"", layer("a"), bytes(512), bytes(10240))) == ["a"]


def test_d14_equal_layers_are_told_apart_by_place() -> None:
    """The same layer before and after a whiteout adds its file twice."""
    once = layer(("a", b"1"))
    assert list(rows(merge(once, layer(whiteout("a")), once))) == ["a"]
    assert above(once, layer(whiteout("a")), once, base=once) == ["a"]


def test_order_of_layers_is_kept() -> None:
    """Entries come in the order of their layers, so that what lies together is copied together."""
    merged = merge(layer("z", "b/", "b/1"), layer("a", "b/2", "y"))
    assert names(merged) == ["z", "b/", "b/1", "a", "b/2", "y"]


def test_neighbours_are_one_copy() -> None:
    """A layer that survives whole is a single run of bytes."""
    plan = plan_of(layer(*(f"f{n}" for n in range(50))), layer("x"))
    assert len(plan.pieces) == 3


def test_targets_of_symlinks_are_followed_up_to_a_path_s_length() -> None:
    """Beyond 4,096 bytes, all targets on the way together, an entry is refused."""
    chain = [symlink("s", "d/../" * 500 + "t"), symlink("t", "d/../" * 500 + "d")]
    with pytest.raises(MalformedTar, match=r"target of a link .* expected fewer than 4096"):
        merge(layer("x"), layer("d/", symlink("t", "d/../" * 900 + "d"), "t/x"))
    with pytest.raises(MalformedTar, match=r"'s/x' leads into symlinks .* at most 4096"):
        merge(layer("x"), layer("d/", *chain, "s/x"))
    assert names(merge(layer("x"), layer("d/", chain[1], "t/x"))) == ["x", "d/", "t", "d/x"]


def test_symlink_on_a_detour_is_followed_anew() -> None:
    """A symlink that comes in the place of nothing changes where older ones lead."""
    images = layer("x"), layer(symlink("s", "n/../b"), "s/one", "q/", symlink("n", "q/r"), "s/two")
    check_every_selection(images)


def test_c11_links_to_files_of_aufs_become_files() -> None:
    """What only storage drivers see is stored under the first name that leads to it."""
    plnk = entry(".wh..wh.plnk/1.2", b"text", mode=0o600)
    merged = merge(layer(".wh..wh.plnk/", plnk, link("a", "/.wh..wh.plnk/1.2"), link("b", "a")))
    assert names(merged) == ["a", "b"]
    assert (member(merged, "a").content, member(merged, "a").mode) == (b"text", 0o600)
    assert (member(merged, "b").type, member(merged, "b").link) == (b"1", b"a")


def test_c11_file_of_aufs_may_be_in_a_lower_layer() -> None:
    """Inside the range or below it, its content is found."""
    lower = layer((".wh..wh.plnk/1", b"text"), "x"), layer(link("a", ".wh..wh.plnk/1"))
    assert member(merge(*lower), "a").content == b"text"
    assert member(merge(*lower, layer("y"), above=1), "a").content == b"text"


def test_c11_link_to_what_aufs_has_not_is_refused() -> None:
    """No engine takes it."""
    with pytest.raises(MalformedTar, match="there is nothing"):
        merge(layer("x"), layer(link("a", ".wh..wh.plnk/1"), ".wh..wh.plnk/1"))
