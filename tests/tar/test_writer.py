from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.layer.blob import Bytes
from lamella.tar.entry import Header
from lamella.tar.reader import read_header
from lamella.tar.scan import scan
from lamella.tar.writer import END_OF_ARCHIVE, format_header
from tests.support.examples import examples
from tests.support.tars import MTIME
from tests.tar.virtual import Virtual

_COMPONENT = st.binary(min_size=1, max_size=130).filter(
    lambda part: not {b"/"[0], 0} & set(part) and part not in {b".", b".."}
)
NAMES = st.lists(_COMPONENT, min_size=1, max_size=3).map(b"/".join)
SHORT = st.binary(max_size=40).filter(lambda text: 0 not in text)
XATTRS = st.dictionaries(
    st.binary(min_size=1, max_size=8).filter(lambda key: not {b"="[0], 0} & set(key)),
    st.binary(max_size=300),
)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    """Draw a header of any type, with all that it can say."""
    kind = draw(st.sampled_from([b"0", b"1", b"2", b"3", b"4", b"5", b"6"]))
    name = draw(NAMES)
    xattrs = draw(XATTRS)
    numbers = st.integers(0, 2**32)
    small = st.integers(-(2**55), 2**55)  # of the kernel, 0 to 2**20; headers hold more
    return Header(
        name=name + b"/" if kind == b"5" else name,
        type=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(numbers),
        gid=draw(numbers),
        size=draw(st.integers(0, 2**40)) if kind == b"0" else 0,
        mtime=draw(st.integers(-(2**60), 2**62)),
        link=draw(NAMES) if kind in b"12" else b"",
        uname=draw(SHORT),
        gname=draw(SHORT),
        devmajor=draw(small) if kind in b"34" else 0,
        devminor=draw(small) if kind in b"34" else 0,
        pax=tuple((b"SCHILY.xattr." + key, value) for key, value in xattrs.items()),
    )


@examples(200)
@given(headers())
def test_headers_round_trip(header: Header) -> None:
    """What is written is read back: every field, every attribute."""
    raw = format_header(header)
    assert len(raw) % 512 == 0
    source = Virtual([raw, header.size + -header.size % 512])
    (member,) = scan(source)
    assert member.path == header.name.rstrip(b"/")
    assert (member.type, member.size, member.start) == (header.type, header.size, 0)
    found = read_header(source, member)
    assert found.xattrs == header.xattrs
    for field in ("name", "type", "mode", "uid", "gid", "size", "mtime", "link"):
        assert getattr(found, field) == getattr(header, field), field
    for field in ("uname", "gname", "devmajor", "devminor"):
        assert getattr(found, field) == getattr(header, field), field


@examples(100)
@given(headers())
def test_python_reads_the_same(header: Header) -> None:
    """Another reader of tars understands it alike."""
    raw = format_header(header) + bytes(
        header.size + -header.size % 512 if header.size < 9999 else 0
    )
    with tarfile.open(fileobj=io.BytesIO(raw), encoding="utf-8") as tar:
        found = tar.next()
    assert found is not None
    assert found.name.encode("utf-8", "surrogateescape").rstrip(b"/") == header.name.rstrip(b"/")
    assert (found.uid, found.gid, found.mode) == (header.uid, header.gid, header.mode)
    assert found.linkname.encode("utf-8", "surrogateescape") == header.link
    assert abs(float(found.mtime) * 10**9 - header.mtime) <= 10**3 + abs(header.mtime) / 10**9
    assert found.size == header.size


def test_what_fits_needs_no_extended_header() -> None:
    """A plain file is one ustar block."""
    raw = format_header(Header(name=b"n" * 100, type=b"0", size=8**11 - 1, mtime=MTIME))
    assert len(raw) == 512
    assert raw[257:265] == b"ustar\x0000"


@pytest.mark.parametrize(
    "header",
    [
        Header(name=b"n" * 101, type=b"0"),
        Header(name=b"caf\xe9", type=b"0"),
        Header(name=b"f", type=b"2", link=b"l" * 101),
        Header(name=b"f", type=b"0", uid=8**7),
        Header(name=b"f", type=b"0", size=8**11),
        Header(name=b"f", type=b"0", mtime=MTIME + 1),
        Header(name=b"f", type=b"0", mtime=-(10**9)),
        Header(name=b"f", type=b"0", uname=b"u" * 33),
    ],
)
def test_what_does_not_fit_goes_into_records(header: Header) -> None:
    """One extended header says all that the fields have no room for; no other form is used."""
    raw = format_header(header)
    assert len(raw) == 1536
    assert raw[156:157] == b"x"
    assert raw[1024 + 156 : 1024 + 157] == header.type


def test_unknown_records_are_said_again() -> None:
    """Nothing is lost but what belonged to another form or to an overlay."""
    records = (
        (b"VENDOR.future", b"kept"),
        (b"SCHILY.xattr.security.capability", b"\1\0\n="),
        (b"atime", b"1.5"),
        (b"path", b"old name"),
        (b"size", b"99"),
        (b"GNU.sparse.major", b"1"),
        (b"SCHILY.xattr.trusted.overlay.opaque", b"y"),
        (b"SCHILY.xattr.user.overlay.origin", b""),
    )
    raw = format_header(Header(name=b"f", type=b"0", pax=records))
    (member,) = scan(Bytes(raw))
    assert read_header(Bytes(raw), member).pax == records[:3]


def test_end_of_archive_is_two_zero_blocks() -> None:
    """As POSIX has it."""
    assert bytes(1024) == END_OF_ARCHIVE
