r"""PAX extended headers: ``LENGTH KEY=VALUE\n`` records.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html (pax Extended Header)
What is accepted is what Go's ``archive/tar`` accepts.
"""

from __future__ import annotations

from lamella.errors import MalformedTar

__all__ = [
    "Records",
    "format_records",
    "format_time",
    "in_force",
    "numbers_in",
    "parse_integer",
    "parse_records",
    "parse_time",
]

# In the order read; a later record of the same key wins, but PAX 0.0 sparse maps repeat keys.
Records = list[tuple[bytes, bytes]]

_NANO = 10**9
_NEWLINE = ord("\n")
_SHORTEST = 5
"""Bytes of a record whose key has one letter and whose value is empty."""
_LONGEST_NUMBER = 19
"""Digits of a 64-bit number."""
_TEXTS = frozenset({b"path", b"linkpath", b"uname", b"gname"})
_SPARSE_PAIR = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")


def parse_records(body: bytes, offset: int) -> Records:
    """Read the records of one extended header.

    Args:
        body: its content, without padding.
        offset: where it stands in the stream, for the error.

    Raises:
        MalformedTar: a record's length or form is wrong.
    """
    records: Records = []
    at, size, pairs = 0, len(body), 0
    while at < size:
        space = body.find(b" ", at)
        end = at + _length(body[at:space]) if space > at else at
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        sound = at < space < end <= size and equals and key and body[end - 1] == _NEWLINE
        if not sound or b"\0" in (value if key in _TEXTS else key):
            message = f"PAX record: expected 'LENGTH KEY=VALUE', got {body[at : at + 40]!r}"
            raise MalformedTar(message, offset + at)
        if key in _SPARSE_PAIR:
            if key != _SPARSE_PAIR[pairs % 2] or b"," in value:
                message = "PAX sparse map: expected pairs of offset and numbytes"
                raise MalformedTar(message, offset + at)
            pairs += 1
        records.append((key, value))
        at = end
    return records


def _length(digits: bytes) -> int:
    """Return a record's length; 0, which none has, if it is no number or too small."""
    try:
        length = parse_integer(digits)
    except ValueError:
        return 0
    return length if length >= _SHORTEST else 0


def in_force(records: Records) -> dict[bytes, bytes]:
    """Return what counts: of each key the last value, and nothing where that is empty.

    An empty value means "not given". The pairs of a PAX 0.0 sparse map become the one record that
    0.1 has.
    """
    told = dict(records)
    pairs = [value for key, value in records if key in _SPARSE_PAIR]
    if pairs:
        told[b"GNU.sparse.map"] = b",".join(pairs)
    return {key: value for key, value in told.items() if value and key not in _SPARSE_PAIR}


def parse_integer(value: bytes) -> int:
    """Read a decimal number of 64 bits, perhaps with a sign.

    Raises:
        ValueError: it is none.
    """
    digits = value[1:] if value[:1] in {b"+", b"-"} else value
    significant = digits.lstrip(b"0") or b"0"
    if digits.isdigit() and len(significant) <= _LONGEST_NUMBER:
        number = -int(significant) if value[:1] == b"-" else int(significant)
        if -(1 << 63) <= number < 1 << 63:
            return number
    message = f"not a number: {value[:40]!r}"
    raise ValueError(message)


def numbers_in(known: dict[bytes, bytes], offset: int) -> dict[bytes, int]:
    """Return the numbers that records tell: times in nanoseconds since 1970, owner and size.

    Args:
        known: the records in force.
        offset: where they stand in the stream, for the error.

    Raises:
        MalformedTar: one is no number.
    """
    numbers: dict[bytes, int] = {}
    for key, parse in _NUMBERS.items():
        value = known.get(key)
        if value is None:
            continue
        try:
            numbers[key] = parse(value)
        except ValueError:
            message = f"PAX record {key.decode()}: expected a number, got {value[:40]!r}"
            raise MalformedTar(message, offset) from None
    return numbers


def format_records(records: Records) -> bytes:
    """Return the bytes that `parse_records` reads."""
    return b"".join(_format_record(key, value) for key, value in records)


def _format_record(key: bytes, value: bytes) -> bytes:
    tail = b" %s=%s\n" % (key, value)
    length = len(tail)
    while len(str(length)) + len(tail) != length:
        length = len(str(length)) + len(tail)
    return str(length).encode() + tail


def parse_time(value: bytes) -> int:
    """Read seconds with an optional fraction; return nanoseconds since 1970.

    Raises:
        ValueError: it is no time.
    """
    whole, _, fraction = value.partition(b".")
    seconds = parse_integer(whole)
    if fraction and not fraction.isdigit():
        message = f"not a time: {value[:40]!r}"
        raise ValueError(message)
    nanoseconds = int(fraction[:9].ljust(9, b"0"))
    return seconds * _NANO + (-nanoseconds if whole[:1] == b"-" else nanoseconds)


def format_time(nanoseconds: int) -> bytes:
    """Return what `parse_time` reads, without needless digits."""
    sign = "-" if nanoseconds < 0 else ""
    whole, fraction = divmod(abs(nanoseconds), _NANO)
    digits = f"{sign}{whole}.{fraction:09d}".rstrip("0").rstrip(".")
    return digits.encode()


_NUMBERS = {
    **dict.fromkeys((b"uid", b"gid", b"size"), parse_integer),
    **dict.fromkeys((b"mtime", b"atime", b"ctime"), parse_time),
}
