from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from lamella.layer.blob import Bytes
from lamella.rootfs import RootFs, compare_configs, compare_rootfs, read_rootfs
from tests.properties.corners import CORNERS
from tests.properties.reference import flatten
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.images import image
from tests.support.squashing import merge
from tests.support.tars import (
    MTIME,
    Entry,
    Spec,
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

FILE = entry("x", b"content", xattrs={b"user.a": b"b"})
LINK = symlink("x", "target")
DEVICE = device("x", 1, 3)


def rootfs(*tars: bytes) -> RootFs:
    """Read the file system of some layers."""
    return read_rootfs([Bytes(tar) for tar in tars])


def differences(ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[tuple[str, str]]:
    """Compare two images; list paths and what differs."""
    found = compare_rootfs(rootfs(*ours), rootfs(*theirs))
    return [(difference.path.decode(), difference.what) for difference in found]


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (FILE, replace(FILE, mode=0o600), "mode"),
        (FILE, replace(FILE, mode=0o4644), "mode"),
        (FILE, replace(FILE, uid=1), "owner"),
        (FILE, replace(FILE, gid=1), "owner"),
        (FILE, replace(FILE, mtime=MTIME + 1), "mtime"),
        (FILE, replace(FILE, xattrs={b"user.a": b"c"}), "xattr user.a"),
        (FILE, replace(FILE, xattrs=None), "xattr user.a"),
        (FILE, replace(FILE, content=b"CONTENT"), "content"),
        (FILE, replace(FILE, content=b"longer content"), "size"),
        (FILE, symlink("x", "y"), "type"),
        (FILE, fifo("x"), "type"),
        (FILE, folder("x"), "type"),
        (LINK, replace(LINK, link=b"elsewhere"), "target"),
        (LINK, replace(LINK, uid=1), "owner"),
        (LINK, replace(LINK, mtime=0), "mtime"),
        (DEVICE, device("x", 1, 5), "device"),
        (DEVICE, device("x", 2, 3), "device"),
        (DEVICE, device("x", 1, 3, kind=b"4"), "type"),
        (folder("x"), folder("x", 0o700), "mode"),
        (folder("x"), folder("x", uid=1), "owner"),
        (folder("x"), folder("x", mtime=MTIME + 1), "mtime"),
        (folder("x"), folder("x", xattrs={b"user.a": b"b"}), "xattr user.a"),
        (FILE, entry("y", b"content", xattrs={b"user.a": b"b"}), "exists"),
    ],
)
def test_each_attribute_is_compared(one: Entry, other: Entry, what: str) -> None:
    """One attribute changed is exactly that difference, both ways; nothing changed is none."""
    a, b = [layer(one)], [layer(other)]
    assert {found for _, found in differences(a, b)} == {what}
    assert {found for _, found in differences(b, a)} == {what}
    assert differences(a, [layer(one)]) == differences(b, [layer(other)]) == []


def test_hard_links_are_compared() -> None:
    """Two files of the same content are not one file with two names."""
    linked, apart = layer(("a", b"1"), link("b", "a")), layer(("a", b"1"), ("b", b"1"))
    assert differences([linked], [apart]) == [("a", "hard link of"), ("b", "hard link of")]
    more = layer(("a", b"1"), link("b", "a"), ("c", b"1"))
    other = layer(("a", b"1"), ("b", b"1"), link("c", "a"))
    assert differences([more], [other]) == [("b", "hard link of"), ("c", "hard link of")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (symlink("x", "y"), replace(symlink("x", "y"), mode=0o755)),
        (FILE, replace(FILE, xattrs={b"user.a": b"b", b"user.empty": b""})),
        (FILE, replace(FILE, xattrs={b"user.a": b"b", b"trusted.overlay.origin": b"1"})),
        (FILE, replace(FILE, uname=b"root", gname=b"root")),
        (FILE, replace(FILE, name=b"./x")),
        (entry("x", b"1"), entry("x", b"1", format="v7")),
        (folder("./", 0o700), folder("./", 0o755)),
        (DEVICE, replace(DEVICE, records=((b"comment", b"x"),))),
    ],
    ids=["mode of a symlink", "empty", "overlay", "names", "spelling", "format", "root", "record"],
)
def test_what_no_container_sees_is_not_compared(one: Entry, other: Entry) -> None:
    """Differences of form, of the root, of what engines drop."""
    assert differences([layer(one)], [layer(other)]) == []


def test_directory_without_an_entry_has_any_time() -> None:
    """Engines make it when they unpack; its mode and owner are known."""
    assert differences([layer("d/x")], [layer("d/", "d/x")]) == []
    assert differences([layer("d/x")], [layer(folder("d", 0o700), "d/x")]) == [("d", "mode")]


def test_differences_are_readable() -> None:
    """Path, what, ours, theirs; in one line, whatever bytes the name has."""
    one, other = (
        rootfs(layer((b"caf\xe9", b"1"))),
        rootfs(layer(entry(b"caf\xe9", b"1", mode=0o600))),
    )
    (found,) = compare_rootfs(one, other)
    assert str(found) == r"/caf\xe9: mode: 0644 != 0600"


def test_content_is_compared_to_the_end() -> None:
    """Also beyond what is read at once, and from sparse files."""
    big = bytes(600_000)
    assert differences([layer(("x", big))], [layer(("x", big[:-1] + b"1"))]) == [("x", "content")]
    lines = b"1\n300000\n3\n".ljust(512, b"\0")
    told = {"major": b"1", "minor": b"0", "name": b"x", "realsize": b"600000"}
    records = tuple((b"GNU.sparse." + key.encode(), value) for key, value in told.items())
    sparse = layer(entry("GNUSparseFile.0/x", lines + b"abc", records=records))
    plain = big[:300_000] + b"abc" + big[300_003:]
    assert differences([sparse], [layer(("x", plain))]) == []
    assert differences([sparse], [layer(("x", big))]) == [("x", "content")]


@pytest.mark.parametrize("name", CORNERS)
def test_squashed_corners_are_equal(name: str) -> None:
    """Verification agrees that a squash changes nothing."""
    tars = CORNERS[name]
    for count in range(len(tars) - 1):
        assert differences([*tars[:count], merge(*tars, above=count)], tars) == []


@examples(60)
@given(layers)
def test_file_system_is_the_reference_s(drawn: list[list[Entry]]) -> None:
    """The same paths and groups of hard links as in the slow, literal reading."""
    tars = [layer(*entries) for entries in drawn]
    found, want = rootfs(*tars), flatten(tars)
    assert list(found.names) == list(want)
    groups = {path: row.group for path, row in want.items() if len(row.group) > 1}
    assert {path: found.groups[path] for path in found.groups} == {
        path: group[0] for path, group in groups.items()
    }


CHANGES: list[tuple[Spec, ...]] = [
    ("new",),
    (whiteout("d/a"),),
    (("d/a", b"2"),),
    (opaque("d"),),
    (folder("d", 0o700),),
    (link("h", "d/a"),),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_lost_layer_is_noticed(change: tuple[Spec, ...]) -> None:
    """Whatever a layer did, leaving it out is a difference."""
    base = layer("d/", ("d/a", b"1"), "d/b")
    assert differences([base, layer(*change)], [base]) != []


def test_configs_are_compared() -> None:
    """All fields but those that a squash has to change."""
    ours = image(layer("a"), history=[{}], created="2020-01-01T00:00:00Z")
    assert list(compare_configs(ours, image(layer("b")))) == []
    theirs = image(layer("a"), os="windows", more=[1])
    found = [(d.what, d.ours, d.theirs) for d in compare_configs(ours, theirs)]
    assert found == [("config more", None, [1]), ("config os", "linux", "windows")]


@pytest.mark.parametrize(
    ("ours", "theirs", "line"),
    [
        (
            [entry("a", mtime=10**18)],
            entry("a", mtime=10**18 + 5),
            "/a: mtime: 2001-09-09T01:46:40Z != 2001-09-09T01:46:40.000000005Z",
        ),
        (
            [entry("a", mtime=10**18 + 5)],
            entry("a", mtime=10**18 + 10**9 + 7),
            "/a: mtime: 2001-09-09T01:46:40Z != 2001-09-09T01:46:41Z",
        ),
        ([entry("a")], symlink("a", "b"), "/a: type: file != symlink"),
        ([entry("a")], entry("a", xattrs={b"user.n": b"v"}), "/a: xattr user.n: none != v"),
        ([], entry("a"), "/a: only in the second image"),
        ([entry("a", b"1")], entry("a", b"2"), "/a: the content differs"),
    ],
)
def test_a_difference_can_be_read(ours: list[Entry], theirs: Entry, line: str) -> None:
    """Nanoseconds are told only where the seconds are the same; no types as a tar writes them."""
    found = compare_rootfs(rootfs(layer(*ours)), rootfs(layer(theirs)))
    assert any(str(difference).startswith(line) for difference in found)


def test_a_difference_of_links_can_be_read() -> None:
    """Paths are told from the root on."""
    linked, apart = layer(("a", b"1"), link("b", "a")), layer(("a", b"1"), ("b", b"1"))
    found = map(str, compare_rootfs(rootfs(linked), rootfs(apart)))
    assert list(found) == ["/a: hard link of: /a != none", "/b: hard link of: /a != none"]


def test_each_variable_and_label_is_a_difference_of_its_own() -> None:
    """What is the same is not told; another order of variables is told as it is."""
    env = {"Env": ["A=1", "B=2", "C=x=y"], "Labels": {"a": "1", "b": "2"}}
    other = {"Env": ["A=1", "B=3"], "Labels": {"a": "1"}}
    found = compare_configs(image(layer("a"), config=env), image(layer("a"), config=other))
    assert list(map(str, found)) == [
        "config Env.B: 2 != 3",
        "config Env.C: x=y != none",
        "config Labels.b: 2 != none",
    ]
    turned = image(layer("a"), config={"Env": ["B=2", "A=1"]})
    found = compare_configs(image(layer("a"), config={"Env": ["A=1", "B=2"]}), turned)
    assert list(map(str, found)) == ['config Env: ["A=1", "B=2"] != ["B=2", "A=1"]']


def test_a_difference_of_configs_can_be_read() -> None:
    """Fields have the names that users know; they are not of the root directory."""
    ours = image(layer("a"), config={"Env": ["A=1"]}, odd={"x": 1}, author="a")
    theirs = image(layer("a"), config={"Env": ["A=2"], "User": "app"}, odd={}, none={})
    assert list(map(str, compare_configs(ours, theirs))) == [
        "config author: a != none",
        "config Env.A: 1 != 2",
        "config User: none != app",
        "config none: none != {}",
        "config odd.x: 1 != none",
    ]
    without = image(layer("a"), config=None, odd={"x": 1}, author="a")
    assert list(map(str, compare_configs(without, ours))) == ["config Env.A: none != 1"]
