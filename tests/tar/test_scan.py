from __future__ import annotations

import pytest

from lamella.errors import MalformedTar
from lamella.layer.blob import Bytes
from lamella.tar.entry import REWRITE, SPARSE, Member
from lamella.tar.reader import iter_content, read_header
from lamella.tar.scan import scan
from tests.support.sparse import FORMS, sparse
from tests.support.tars import (
    END,
    Entry,
    Format,
    Raw,
    Spec,
    block,
    device,
    entry,
    extended,
    fifo,
    folder,
    layer,
    link,
    pax_records,
    reseal,
    symlink,
)
from tests.tar.virtual import Virtual


def members(*specs: Spec, end: bytes = END) -> list[Member]:
    """Scan a tar of these entries."""
    return scan(Bytes(layer(*specs, end=end)))


def only(*specs: Spec) -> Member:
    """Scan a tar that has one member."""
    (member,) = members(*specs)
    return member


# -- formats


@pytest.mark.parametrize("name", ["v7", "ustar", "gnu", "pax"])
def test_every_format_tells_the_same(name: Format) -> None:
    """V7, ustar, GNU and PAX differ in form, not in what they say."""
    found = members(
        folder("d/", format=name),
        entry("d/f", b"content", format=name),
        symlink("d/s", "f", format=name),
        link("d/h", "d/f", format=name),
    )
    assert [(m.path, m.type, m.link, m.size) for m in found] == [
        (b"d", b"5", b"", 0),
        (b"d/f", b"0", b"", 7),
        (b"d/s", b"2", b"f", 0),
        (b"d/h", b"1", b"d/f", 0),
    ]
    assert [m.start for m in found] == [0, 512, 1536, 2048]
    assert {m.flags for m in found} == {0}


def test_v7_directory_is_a_file_with_a_slash() -> None:
    """V7 has no type for directories: NUL and a trailing slash make one."""
    assert only(Raw(block(b"d/", b"\0", magic=bytes(8)))).type == b"5"
    assert only(Raw(block(b"d", b"\0", magic=bytes(8)))).type == b"0"


def test_prefix_counts_with_the_posix_magic() -> None:
    r"""A long name is split over prefix and name where the magic is `ustar\0`."""
    name = "p" * 120 + "/" + "n" * 90
    assert only(entry(name, format="ustar")).path == name.encode()


@pytest.mark.parametrize("magic", [b"ustar  \0", bytes(8), b"ustar \0\0", b"tar\0\0\0\0\0"])
def test_prefix_means_nothing_elsewhere(magic: bytes) -> None:
    """Old GNU keeps times where POSIX keeps the prefix."""
    assert only(Raw(block(b"name", b"0", magic=magic, prefix=b"0123"))).path == b"name"


@pytest.mark.parametrize(
    ("prefix", "path", "flags"),
    [
        (b"var/lib/dpkg", b"var/lib/dpkg/name", REWRITE),
        (b"00000000000 " + b"var/lib", b"00000000000 var/lib/name", REWRITE),
        (bytes(12) + b"no number", b"name", 0),
        (b"14000000000\x00" + b"14000000000\x00", b"name", 0),
        (bytes(12) + b"14000000000\x00", b"name", 0),
        (bytes([128] + [0] * 11), b"name", REWRITE),
        (b"caf\xc3\xa9", b"name", REWRITE),
    ],
)
def test_prefix_with_the_magic_of_gnu(prefix: bytes, path: bytes, flags: int) -> None:
    """It counts if it is ASCII and the times in its place are no numbers, as in Go's reader."""
    tar = Bytes(layer(Raw(block(b"name", b"0", magic=b"ustar  \0", prefix=prefix))))
    (member,) = scan(tar)
    assert (member.path, member.flags & flags) == (path, flags)
    assert read_header(tar, member).name == path


def test_prefix_of_star_is_shorter() -> None:
    """Two times follow it; the trailer at the end of the header tells."""
    raw = bytearray(block(b"name", b"0", prefix=b"p" * 131 + b"00000000001\x00" * 2))
    assert only(Raw(bytes(raw))).path == b"p" * 131 + b"00000000001/name"
    raw[508:512] = b"tar\0"
    assert only(Raw(reseal(bytes(raw)))).path == b"p" * 131 + b"/name"


def test_gnu_long_names() -> None:
    """`L` and `K` headers name the next member and its target, in either order."""
    name, target = "n" * 99 + "/" + "n" * 200, "t" * 300
    member = only(symlink(name, target, format="gnu"))
    assert (member.path, member.link, member.start) == (name.encode(), target.encode(), 0)
    swapped = [extended(b"L", name.encode() + b"\0"), extended(b"K", b"t" * 300 + b"\0")]
    again = only(*map(Raw, swapped), Raw(block(b"nn", b"2", link=b"tt")))
    assert (again.path, again.link) == (member.path, member.link)


def test_pax_overrides_name_target_and_size() -> None:
    """`path`, `linkpath` and `size` records count, not the fields."""
    body = pax_records([(b"path", b"real"), (b"linkpath", b"there"), (b"size", b"3")])
    head = extended(b"x", body)
    member = only(Raw(head + block(b"fake", b"0", size=0) + b"abc".ljust(512, b"\0")))
    assert (member.path, member.size, member.start) == (b"real", 3, 0)
    assert only(Raw(head + block(b"fake", b"2", link=b"here"))).link == b"there"


def test_empty_pax_value_means_not_given() -> None:
    """An empty value leaves the field as it is, as Go's archive/tar has it."""
    body = pax_records([(b"path", b""), (b"linkpath", b""), (b"size", b""), (b"mtime", b"")])
    tar = Bytes(layer(Raw(extended(b"x", body) + block(b"name", b"2", link=b"to", mtime=5))))
    (member,) = scan(tar)
    assert (member.path, member.link) == (b"name", b"to")
    assert read_header(tar, member).mtime == 5 * 10**9


def test_last_pax_record_wins() -> None:
    """A key that is said twice has the later value."""
    body = pax_records([(b"path", b"first"), (b"path", b"last")])
    assert only(Raw(extended(b"x", body) + block(b"name", b"0"))).path == b"last"


def test_long_pax_header_is_read_whole() -> None:
    """Attributes may be bigger than what is read ahead."""
    member = only(entry("f", b"x", xattrs={b"user.big": b"v" * 60_000}, records=((b"path", b"p"),)))
    assert (member.path, member.size) == (b"p", 1)


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_base_256_size(size: int) -> None:
    """A number with its top bit set is binary."""
    raw = bytearray(block(b"f", b"0"))
    raw[124:136] = (128 << 88 | size).to_bytes(12, "big")
    assert only(Raw(reseal(bytes(raw))), Raw(bytes(-(-size // 512) * 512))).size == size


@pytest.mark.parametrize(
    "digits", [b"000000000012", b"        12 \0", b"12\0junkjunk!", b"12" + b" " * 10]
)
def test_octal_number_however_it_is_filled(digits: bytes) -> None:
    """Blanks, NULs or digits to the last byte: writers fill the field in their own ways."""
    raw = bytearray(block(b"f", b"0"))
    raw[124:136] = digits
    assert only(Raw(reseal(bytes(raw)) + bytes(512))).size == 0o12


@pytest.mark.parametrize("digits", [b"-0000000001", b"0000000018\0", b"1_000000000", b"\xff" * 12])
def test_number_that_is_none_is_refused(digits: bytes) -> None:
    """Digits beyond 7, signs and negative sizes are damage."""
    raw = bytearray(block(b"f", b"0"))
    raw[124:136] = digits.ljust(12, b"\0")
    with pytest.raises(MalformedTar, match="size"):
        members(Raw(reseal(bytes(raw))))


@pytest.mark.parametrize("value", [b"x", b"-1", b"1.5", b"9" * 5000])
def test_pax_size_that_is_none_is_refused(value: bytes) -> None:
    """So are sizes in records."""
    with pytest.raises(MalformedTar):
        members(Raw(extended(b"x", pax_records([(b"size", value)])) + block(b"f", b"0")))


def test_signed_checksum_is_accepted() -> None:
    """Some old writers added signed bytes."""
    raw = block(b"caf\xe9" * 10, b"0")
    assert only(Raw(reseal(raw, signed=True))).path == b"caf\xe9" * 10


def test_checksum_beyond_six_digits() -> None:
    """Only the checksum's value counts, not how it is filled."""
    raw = block(b"f", b"0")
    digits = b"%07o\0" % int(raw[148:154], 8)
    assert only(Raw(raw[:148] + digits + raw[156:])).path == b"f"


# -- types


def test_all_types() -> None:
    """The seven types that layers have."""
    found = members("f", link("h", "f"), symlink("s", "f"), device("c", 1, 3), fifo("p"))
    assert [m.type for m in found] == [b"0", b"1", b"2", b"3", b"6"]
    assert only(device("b", 8, 1, kind=b"4")).type == b"4"


def test_contiguous_file_is_written_anew() -> None:
    """Type 7 is a regular file, which engines refuse under that type."""
    member = only(Entry(b"f", type=b"7", content=b"x"))
    assert (member.type, member.flags) == (b"0", REWRITE)


@pytest.mark.parametrize("kind", [b"A", b"V", b"M", b"D", b"N", b"\xff", b"8"])
def test_unknown_type_is_refused(kind: bytes) -> None:
    """No engine unpacks it, so it is no layer; what it is is said."""
    with pytest.raises(MalformedTar, match="type") as caught:
        members("ok", Entry(b"odd", type=kind))
    assert caught.value.offset == 512


@pytest.mark.parametrize("records", [(), ((b"size", b"4096"),), ((b"atime", b"1"),)])
def test_hard_link_may_state_a_size(records: tuple[tuple[bytes, bytes], ...]) -> None:
    """No content follows for engines; others look for some, so its header is written anew."""
    head = extended(b"x", pax_records(list(records))) if records else b""
    raw = Raw(head + block(b"b", b"1", link=b"a", size=4096))
    assert [(m.path, m.size) for m in members("a", raw, "c")] == [(b"a", 0), (b"b", 0), (b"c", 0)]
    assert members("a", raw, "c")[1].flags == REWRITE


def test_content_of_a_hard_link_is_no_header() -> None:
    """PAX allows it; every engine stumbles over it."""
    with pytest.raises(MalformedTar, match="checksum"):
        members("a", Entry(b"b", type=b"1", link=b"a", content=b"x"))


def test_extended_header_is_bounded() -> None:
    """One of more than a MiB is refused before it is read, as Go does."""
    with pytest.raises(MalformedTar, match="expected at most 1048576 bytes, got 1048577"):
        members(Raw(block(b"x", b"x", size=(1 << 20) + 1)))


@pytest.mark.parametrize("kind", [b"2", b"3", b"5", b"6"])
def test_size_of_what_has_no_content_means_nothing(kind: bytes) -> None:
    """A directory may state a size; nothing follows it all the same."""
    found = members(Entry(b"d", type=kind, size=4096), "f")
    assert [(m.path, m.size) for m in found] == [(b"d", 0), (b"f", 0)]


# -- names


@pytest.mark.parametrize(
    ("name", "path", "flags"),
    [
        (b"x", b"x", 0),
        (b"./x", b"x", 0),
        (b"d/x", b"d/x", 0),
        (b"/x", b"x", REWRITE),
        (b"x/", b"x", REWRITE),
        (b"a//x", b"a/x", REWRITE),
        (b"a/./x", b"a/x", REWRITE),
        (b"a/../x", b"x", REWRITE),
        (b"../../x", b"x", REWRITE),
        (b".x", b".x", 0),
        (b"..x/y..", b"..x/y..", 0),
        (b"a/.x", b"a/.x", 0),
        (b".//x", b"x", REWRITE),
        (b"caf\xe9", b"caf\xe9", 0),
        (b"new\nline\x01", b"new\nline\x01", 0),
    ],
)
@pytest.mark.parametrize("name_format", ["ustar", "pax"])
def test_names_become_paths(name: bytes, path: bytes, flags: int, name_format: Format) -> None:
    """Names that engines read alike stay as they are; the others are marked to be written anew."""
    member = only(entry(name, format=name_format))
    assert (member.path, member.flags) == (path, flags)


@pytest.mark.parametrize("name", [b"./", b".", b"/", b"./."])
def test_root_has_an_empty_path(name: bytes) -> None:
    """The root is a directory as any other, but for its name."""
    assert only(folder(name)).path == b""


@pytest.mark.parametrize("name", [b"d", b"d/", b"./d/", b"./d"])
def test_directory_with_or_without_slash(name: bytes) -> None:
    """A trailing slash of a directory is as good as none."""
    member = only(folder(name))
    assert (member.path, member.type, member.flags) == (b"d", b"5", 0)


def test_longest_names() -> None:
    """A field without NUL is full: 100 bytes."""
    found = members(entry("n" * 100, format="v7"), symlink("s", "t" * 100, format="v7"))
    assert (found[0].path, found[1].link) == (b"n" * 100, b"t" * 100)


# -- global headers


def test_global_header_is_never_applied() -> None:
    """Engines pass over `g` headers, so a path in one names nothing."""
    head = extended(b"g", pax_records([(b"path", b"evil"), (b"uid", b"1"), (b"size", b"512")]))
    tar = Bytes(layer(Raw(head), "a", "b"))
    found = scan(tar)
    assert [m.path for m in found] == [b"a", b"b"]
    assert found[0].start == len(head)
    assert read_header(tar, found[0]).uid == 0
    assert found[0].flags == 0


@pytest.mark.parametrize(
    "own",
    [
        extended(b"x", pax_records([(b"path", b"p"), (b"size", b"1")])),
        extended(b"L", b"p\0"),
        extended(b"K", b"p\0"),
    ],
    ids=["x", "L", "K"],
)
def test_a_member_begins_behind_a_global_header(own: bytes) -> None:
    """What stands before it belongs to no member, as Go's reader has it."""
    head = own + extended(b"g", pax_records([(b"path", b"evil")]))
    member = only(Raw(head + block(b"f", b"2", link=b"to")))
    assert (member.path, member.link, member.start) == (b"f", b"to", len(head))
    assert member.flags == 0


def test_global_header_at_the_end() -> None:
    """Headers without a member are nothing."""
    assert [m.path for m in members("a", Raw(extended(b"g", pax_records([(b"a", b"b")]))))] == [
        b"a"
    ]


# -- overlay marks


@pytest.mark.parametrize("name", [b"trusted.overlay.opaque", b"user.overlay.metacopy"])
def test_overlay_marks_are_not_copied(name: bytes) -> None:
    """They would be taken for a storage driver's own."""
    assert only(entry("f", xattrs={name: b"y"})).flags == REWRITE
    assert only(entry("f", xattrs={b"user.note": b".overlay."})).flags == 0


# -- sparse files


PARTS = [(1000 * i + 100, 10 + i) for i in range(30)]
CONTENT = bytes(range(1, 256)) * 3
CONTENT = CONTENT[: sum(length for _, length in PARTS)]
SPARSE_SIZE = 40_000


def plain() -> bytes:
    """Return the whole sparse file."""
    out, at = bytearray(SPARSE_SIZE), 0
    for offset, length in PARTS:
        out[offset : offset + length] = CONTENT[at : at + length]
        at += length
    return bytes(out)


@pytest.mark.parametrize("form", FORMS)
def test_sparse_files_are_read_whole(form: str) -> None:
    """Holes are zeros, in all four forms of sparse files; but for the newest they are undone."""
    raw = sparse(form, "sparse", PARTS, SPARSE_SIZE, CONTENT)
    tar = Bytes(layer(raw, "after"))
    member, after = scan(tar)
    assert (member.path, after.path) == (b"sparse", b"after")
    assert member.flags == (SPARSE if form == "1.0" else SPARSE | REWRITE)  # others are rare
    assert read_header(tar, member).size == SPARSE_SIZE
    assert b"".join(iter_content(tar, member)) == plain()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "parts",
    [
        [(0, 10), (5, 10)],
        [(100, 10), (0, 10)],
        [(0, 10), (39_999, 10)],
        [(0, 2000)],
    ],
    ids=["overlap", "backwards", "beyond the file", "beyond the content"],
)
def test_senseless_sparse_map_is_refused(form: str, parts: list[tuple[int, int]]) -> None:
    """A map must be in order, inside the file, and no longer than the content."""
    content = b"x" * 20
    raw = sparse(form, "sparse", parts, SPARSE_SIZE, content)
    tar = Bytes(layer(raw))
    with pytest.raises(MalformedTar, match="sparse"):
        [list(iter_content(tar, member)) for member in scan(tar)]


@pytest.mark.parametrize("form", ["0.0", "0.1", "1.0"])
@pytest.mark.parametrize("parts", [[(0, -5)], [(-5, 10)], [(10, 5), (20, -8)]])
def test_negative_numbers_in_a_sparse_map_are_refused(
    form: str, parts: list[tuple[int, int]]
) -> None:
    """Nothing has fewer than no bytes."""
    tar = Bytes(layer(sparse(form, "sparse", parts, SPARSE_SIZE, b"x" * 20)))
    with pytest.raises(MalformedTar, match="sparse"):
        [list(iter_content(tar, member)) for member in scan(tar)]


def test_cut_sparse_headers_are_refused() -> None:
    """The further blocks of an old sparse file must be there."""
    raw = sparse("old", "sparse", PARTS, SPARSE_SIZE, CONTENT)
    with pytest.raises(MalformedTar, match="truncated"):
        scan(Bytes(raw.data[:600]))


@pytest.mark.parametrize(("count", "right"), [(26_000, True), (26_001, False)])
def test_maps_in_headers_can_be_said_anew(count: int, right: bool) -> None:
    """So many parts fit into the map of PAX 1.0, even with the longest numbers."""
    parts = [(n * 4, 1) for n in range(count)]
    tar = Bytes(layer(sparse("old", "sparse", parts, 4 * count, b"x" * count)))
    if right:
        assert scan(tar)[0].size == count
    else:
        with pytest.raises(MalformedTar, match="expected at most 26000 parts, got 26001"):
            scan(tar)


@pytest.mark.parametrize("form", FORMS)
def test_sparse_files_have_a_largest_size(form: str) -> None:
    """Who unpacks one makes all of its zeros, whatever little it takes to say them."""
    largest = 1 << 40
    assert scan(Bytes(layer(sparse(form, "s", [(0, 2)], largest, b"ab"))))
    with pytest.raises(MalformedTar, match=f"expected at most {largest} bytes with its holes"):
        scan(Bytes(layer(sparse(form, "s", [(0, 2)], largest + 1, b"ab"))))


# -- big


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_member_beyond_8_gib(form: Format) -> None:
    """Eleven octal digits end at 8 GiB; base-256 and PAX go on. Content isn't touched."""
    size = (8 << 30) + 5
    head = entry("big", format=form).headers(size)
    source = Virtual([head, size + (-size % 512), layer("after")])
    big, after = scan(source)
    assert (big.size, big.data) == (size, len(head))
    assert (after.path, after.start) == (b"after", big.end)
    assert source.read < 20_000


def test_content_is_not_read() -> None:
    """A scan reads headers: a few bytes per member, a call for each big one."""
    parts: list[bytes | int] = []
    for number in range(100):
        parts += [entry(f"f{number}").headers(1 << 20), 1 << 20]
    source = Virtual([*parts, END])
    assert len(scan(source)) == 100
    assert source.read < 110 * 2048
    assert source.calls < 110


@pytest.mark.parametrize("form", ["ustar", "gnu", "pax"])
def test_small_members_are_read_many_at_a_time(form: Format) -> None:
    """A call serves many, wherever their headers lie in what it reads."""
    names = [f"{'folder/' * (number % 30)}file{number:04d}" for number in range(2000)]
    source = Virtual([layer(*(entry(name, b"x" * 100, format=form) for name in names))])
    assert [m.path for m in scan(source)] == [name.encode() for name in names]
    assert source.calls < 150
    assert source.read < 1.2 * source.size


# -- ends


@pytest.mark.parametrize(
    "end",
    [
        b"",
        bytes(512),
        bytes(1024),
        bytes(10240),
        bytes(1024) + b"garbage",
        bytes(1024) + layer("x"),
    ],
    ids=["none", "one block", "two", "twenty", "garbage", "another tar"],
)
def test_ends_of_an_archive(end: bytes) -> None:
    """No zero block, one or more; what follows two is ignored."""
    assert [m.path for m in members("a", ("b", b"x"), end=end)] == [b"a", b"b"]


@pytest.mark.parametrize("tar", [b"", bytes(512), bytes(1024)], ids=["no byte", "one", "two"])
def test_empty_layers(tar: bytes) -> None:
    """An empty layer is 1024 zero bytes, or less."""
    assert scan(Bytes(tar)) == []


def test_missing_padding_at_the_end_is_added() -> None:
    """The last member may lack its padding; taken over it gets it."""
    tar = layer(("a", b"x"), end=b"")[:513]
    (member,) = scan(Bytes(tar))
    assert (member.size, member.flags) == (1, REWRITE)


def test_single_zero_block_inside_is_refused() -> None:
    """Engines disagree on what follows one zero block."""
    with pytest.raises(MalformedTar, match="zero block"):
        members("a", Raw(bytes(512)), "b")


@pytest.mark.parametrize(
    ("specs", "keep"),
    [
        (("a", "b"), 700),
        ((("a", b"x" * 600),), 1000),
        ((("a", b"x" * 600),), 512),
        ((entry("n" * 200),), 600),
        ((entry("n" * 200, format="gnu"),), 600),
    ],
    ids=["header", "content", "all content", "PAX header", "GNU long name"],
)
def test_cut_off_is_refused(specs: tuple[Spec, ...], keep: int) -> None:
    """A tar that ends in the midst of something is damaged, and it is said where."""
    with pytest.raises(MalformedTar, match="truncated") as caught:
        scan(Bytes(layer(*specs)[:keep]))
    assert caught.value.offset is not None


@pytest.mark.parametrize("at", [0, 100, 124, 156, 257, 400])
def test_checksum_must_hold(at: int) -> None:
    """One wrong byte in a header is noticed."""
    raw = bytearray(layer("a", "b"))
    raw[512 + at] ^= 1
    with pytest.raises(MalformedTar, match="checksum") as caught:
        scan(Bytes(bytes(raw)))
    assert caught.value.offset == 512


def test_checksum_field_that_is_none() -> None:
    """A checksum that isn't a number can't hold."""
    raw = block(b"a", b"0")
    with pytest.raises(MalformedTar, match="checksum"):
        scan(Bytes(raw[:148] + b"xxxxxxxx" + raw[156:] + END))


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"5 a=b\n",
        b"7 a=b\n",
        b"6 a=b ",
        b"99 a=b\n",
        b"6 abc\n",
        b"0 a=b\n",
        b" a=b\n",
        b"\0" * 9,
    ],
)
def test_damaged_pax_records_are_refused(body: bytes) -> None:
    """A record is its length, a blank, a key, `=`, a value, a newline; nothing else."""
    tar = Bytes(layer(Raw(extended(b"x", body + b"9 path=x\n") + block(b"f", b"0"))))
    with pytest.raises(MalformedTar, match="PAX"):
        scan(tar)


def test_extended_header_of_absurd_size_is_refused() -> None:
    """Nobody reads gigabytes of attributes into memory."""
    source = Virtual([block(b"x", b"x", size=1 << 30), 1 << 30, block(b"f", b"0"), END])
    with pytest.raises(MalformedTar, match="extended header"):
        scan(source)
    assert source.read < 10_000


def test_members_carry_their_origin() -> None:
    """The caller numbers the streams."""
    assert [m.origin for m in scan(Bytes(layer("a", entry("n" * 200))), 7)] == [7, 7]
