from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import MalformedTar
from lamella.layer.blob import Bytes
from lamella.tar.entry import Header, clean
from lamella.tar.reader import iter_content, read_header
from lamella.tar.scan import scan
from tests.properties import reading
from tests.properties.corners import CORNERS
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.tars import MTIME, Entry, Raw, Spec, block, device, entry, layer, reseal


def header_of(*specs: Spec) -> Header:
    """Read the header of a tar's only member."""
    tar = Bytes(layer(*specs))
    (member,) = scan(tar)
    return read_header(tar, member)


@examples(100)
@given(layers)
def test_two_readers_agree(drawn: list[list[Entry]]) -> None:
    """Everything that is read is what a plain, separate reader reads."""
    for entries in drawn:
        tar = layer(*entries)
        found, _ = reading.read_tar(tar)
        members = scan(Bytes(tar))
        assert len(members) == len(found)
        for ours, theirs in zip(members, found, strict=True):
            header = read_header(Bytes(tar), ours)
            assert (ours.path, ours.type) == (theirs.path, theirs.type)
            assert tar[ours.start : ours.end] == theirs.raw
            assert (header.name, header.link) == (theirs.name, theirs.link)
            assert (header.mode & 0o7777, header.uid, header.gid) == (
                theirs.mode,
                theirs.uid,
                theirs.gid,
            )
            assert header.mtime == theirs.mtime
            assert (header.devmajor, header.devminor) == theirs.device
            given_xattrs = {key: value for key, value in header.xattrs.items() if value}
            assert tuple(sorted(given_xattrs.items())) == theirs.xattrs
            assert b"".join(iter_content(Bytes(tar), ours)) == theirs.content


@examples(400)
@given(st.sampled_from(sorted(CORNERS)), st.randoms(use_true_random=False))
def test_damage_is_refused_or_read(name: str, chance: random.Random) -> None:
    """Any bytes are read as a tar or raise `MalformedTar`, and nothing else."""
    raw = bytearray(chance.choice(CORNERS[name]) + layer("extra", entry("n" * 200)))
    for _ in range(chance.randint(1, 4)):
        raw[chance.randrange(len(raw))] = chance.choice((0, 0x20, 0x2D, 0x37, 0x39, 0x80, 0xFF))
    for at in range(0, len(raw) - 511, 512):
        if raw[at] and chance.random() < 0.9:
            raw[at : at + 512] = reseal(bytes(raw[at : at + 512]))
    del raw[len(raw) - chance.choice((0, 0, 1, 511, 512, 1000)) :]
    tar = Bytes(bytes(raw))
    try:
        for member in scan(tar):
            read_header(tar, member)
            assert sum(map(len, iter_content(tar, member))) >= 0
    except MalformedTar as error:
        assert error.offset is None or 0 <= error.offset <= tar.size  # noqa: PT017 - if it raises


def test_names_of_owners() -> None:
    """User and group names, of fields and of records."""
    assert header_of(entry("f", uname=b"root", gname=b"wheel")).uname == b"root"
    found = header_of(
        entry("f", uname=b"root", records=((b"uname", b"b\xc3\xa9"), (b"gname", b"")))
    )
    assert (found.uname, found.gname) == (b"b\xc3\xa9", b"")


def test_v7_has_no_owners_names() -> None:
    """What lies in their place in old headers is nothing."""
    raw = block(b"f", b"0", magic=bytes(8), uname=b"junk", gname=b"junk")
    assert header_of(Raw(raw)).uname == b""


def test_device_numbers_count_for_devices_only() -> None:
    """In other types they mean nothing, but have to be numbers, except in a V7 header."""
    found = header_of(device("d", 259, 70_000))
    assert (found.devmajor, found.devminor) == (259, 70_000)
    raw = bytearray(block(b"f", b"0"))
    raw[329:345] = b"0000007\0" * 2
    assert header_of(Raw(reseal(bytes(raw)))).devmajor == 0
    raw[329:345] = b"junkjunkjunkjunk"
    with pytest.raises(MalformedTar, match="devmajor"):
        header_of(Raw(reseal(bytes(raw))))
    raw[257:265] = bytes(8)
    assert header_of(Raw(reseal(bytes(raw)))).devmajor == 0


def test_times_are_exact() -> None:
    """Nanoseconds of PAX, negative times of base-256."""
    assert header_of(entry("f", mtime=MTIME + 1)).mtime == MTIME + 1
    assert header_of(entry("f", mtime=-(10**9), format="gnu")).mtime == -(10**9)


@pytest.mark.parametrize(
    "record", [(b"uid", b"x"), (b"gid", b"1.5"), (b"mtime", b"noon"), (b"mtime", b"\xff")]
)
def test_senseless_record_is_refused(record: tuple[bytes, bytes]) -> None:
    """A number or time that is none is damage, told with its key."""
    with pytest.raises(MalformedTar, match=record[0].decode()):
        header_of(entry("f", records=(record,)))


@pytest.mark.parametrize(("field", "place"), [("mode", 100), ("uid", 108), ("mtime", 136)])
def test_senseless_field_is_refused(field: str, place: int) -> None:
    """A field that is no number is told by name."""
    raw = bytearray(block(b"f", b"0"))
    raw[place : place + 3] = b"xyz"
    with pytest.raises(MalformedTar, match=field):
        header_of(Raw(reseal(bytes(raw))))


def test_only_files_have_content() -> None:
    """A directory, a link: nothing."""
    tar = Bytes(layer("d/", ("f", b"x")))
    folder, file = scan(tar)
    assert list(iter_content(tar, folder)) == []
    assert list(iter_content(tar, file)) == [b"x"]


def test_content_that_went_away_is_noticed() -> None:
    """A stream that became shorter since the scan raises."""
    tar = layer(("f", b"x" * 2000))
    (member,) = scan(Bytes(tar))
    with pytest.raises(MalformedTar, match="truncated"):
        list(iter_content(Bytes(tar[:1000]), member))


@examples(100)
@given(st.binary(max_size=30).map(lambda name: name.replace(b"a", b"/").replace(b"b", b".")))
def test_clean_paths_stay_below_the_root(name: bytes) -> None:
    """No path leads out, none has empty parts, and cleaning again changes nothing."""
    path = clean(name)
    assert not {b"", b".", b".."} & set(path.split(b"/")) or path == b""
    assert clean(path) == path == reading.clean(name)


@pytest.mark.parametrize("left", [0, 100, 512, 1100])
def test_headers_that_went_away_are_noticed(left: int) -> None:
    """A file that got shorter after it was scanned: within a header, or before all of one."""
    tar = layer(entry("n" * 200, b"x"))
    (member,) = scan(Bytes(tar))
    with pytest.raises(
        MalformedTar, match=f"truncated header: expected {member.head} .* got {left}"
    ):
        read_header(Bytes(tar[:left]), member)
