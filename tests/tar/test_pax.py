from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import MalformedTar
from lamella.tar.pax import format_records, format_time, parse_records, parse_time
from tests.support.examples import examples
from tests.support.tars import pax_records

KEYS = st.binary(min_size=1, max_size=20).filter(lambda key: not {b"="[0], 0} & set(key))


@examples(100)
@given(st.lists(st.tuples(KEYS, st.binary(max_size=1200)), max_size=5))
def test_records_round_trip(records: list[tuple[bytes, bytes]]) -> None:
    """What is written is read, whatever bytes the values have; lengths count themselves."""
    body = format_records(records)
    assert body == pax_records(records)
    assert parse_records(body, 0) == records


@pytest.mark.parametrize("length", [1, 5, 90, 93, 94, 95, 96, 990, 991, 992, 993])
def test_length_that_needs_one_more_digit(length: int) -> None:
    """A record's length includes its own digits, also where they become more."""
    body = format_records([(b"k", b"v" * length)])
    assert int(body.split(b" ")[0]) == len(body)


def test_value_may_contain_anything() -> None:
    """Newlines, equals signs and NULs are data."""
    records = [(b"k", b"a=b\n12 c=d\n\0"), (b"SCHILY.xattr.user.x", b"")]
    assert parse_records(format_records(records), 0) == records


@pytest.mark.parametrize("body", [b"x" * 30 + b"=\n", b"6 a=b\n" + b"1" * 25 + b" k=\n", b" =\n"])
def test_record_without_a_length_is_refused(body: bytes) -> None:
    """No blank where one must be: an error at that record, not the same record for ever."""
    with pytest.raises(MalformedTar, match="PAX record"):
        parse_records(body, 0)


def test_error_tells_the_place() -> None:
    """The offset is the record's own."""
    with pytest.raises(MalformedTar) as caught:
        parse_records(b"6 a=b\nnonsense", 1000)
    assert caught.value.offset == 1006


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        (b"0", 0),
        (b"1.5", 1_500_000_000),
        (b"1.123456789", 1_123_456_789),
        (b"1.1234567899", 1_123_456_789),
        (b"-1.5", -1_500_000_000),
        (b"1.", 1_000_000_000),
        (b"+2", 2_000_000_000),
    ],
)
def test_times_are_nanoseconds(text: bytes, nanoseconds: int) -> None:
    """Seconds with a fraction, cut at nine digits."""
    assert parse_time(text) == nanoseconds


@pytest.mark.parametrize("text", [b"", b"x", b".", b".5", b"-", b"1e3", b"1.2.3", b"\xff", b"0x10"])
def test_no_time(text: bytes) -> None:
    """Anything else is none."""
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


@examples(100)
@given(st.integers(-(2**62), 2**62))
def test_times_round_trip(nanoseconds: int) -> None:
    """To the nanosecond, before 1970 too, and without needless digits."""
    text = format_time(nanoseconds)
    assert parse_time(text) == nanoseconds
    assert not text.endswith((b".", b".0"))
