"""Times in header blocks are limited as they are: the time changes, and the checksum."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lamella.tar.entry import REGULAR, Header
from lamella.tar.header import NO_CHECKSUM, checksum_holds
from lamella.tar.time_limit import TIME_FIELD, TimeLimit
from lamella.tar.writer import format_header, with_time
from tests.support.examples import examples

SECONDS = 1000
LIMIT = TimeLimit(SECONDS)
"""One for all blocks: what it remembers of one must be right for the next."""

NUMBERS = st.integers(0, 8**11 - 1)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[bytes, int]:
    """Return a header with a valid checksum, and its time."""
    raw = draw(st.binary(max_size=60) | st.text("abc/", max_size=60).map(str.encode))
    seconds = draw(st.sampled_from([SECONDS, SECONDS + 1]) | NUMBERS)
    block = bytearray(format_header(Header(b"name", REGULAR, mtime=seconds * 10**9)))
    block[: len(raw)] = raw
    octal = b"%o" % seconds
    forms = [b"\x80" + seconds.to_bytes(11, "big"), octal.rjust(12), octal.rjust(12, b"0")]
    forms += [octal.rjust(11) + b"\0", octal.ljust(12, b"\0")]
    block[136:148] = draw(st.sampled_from(forms))
    block[148:156] = NO_CHECKSUM
    is_signed = draw(st.booleans())  # as some old writers added
    checksum = sum(byte - 256 if is_signed and byte > 127 else byte for byte in block)
    form = draw(st.sampled_from([b"%06o\0 ", b"%07o\0", b"%6o \0", b"%08o"]))
    block[148:156] = form % max(checksum, 0)
    return bytes(block), seconds


@examples(400)
@given(blocks())
def test_late_blocks_are_sealed_again(made: tuple[bytes, int]) -> None:
    """However the time and the checksum are written, and with bytes beyond ASCII."""
    block, seconds = made
    field = LIMIT.limited(block)
    assert (field is not None) == LIMIT.is_late(block) == (seconds > SECONDS)
    if field is not None:
        limited = block[: TIME_FIELD.start] + field + block[TIME_FIELD.stop :]
        assert limited == with_time(block, SECONDS)
        assert checksum_holds(limited)


def test_a_checksum_beyond_what_bytes_add_up_to_is_not_trusted() -> None:
    """Modulo 65521, as a scan compares, it is right."""
    block = bytearray(format_header(Header(b"name", REGULAR, mtime=2000 * 10**9)))
    block[148:156] = b"%07o\0" % (int(block[148:154], 8) + 65521)
    assert LIMIT.limited(bytes(block)) == with_time(bytes(block), SECONDS)[TIME_FIELD]
