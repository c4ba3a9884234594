r"""PAX extended headers: ``LENGTH KEY=VALUE\n`` records.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html (pax Extended Header)
"""

from __future__ import annotations

from lamella.errors import MalformedTar

__all__ = ["Records", "format_records", "format_time", "parse_records", "parse_time"]

# In the order read; a later record of the same key wins, but PAX 0.0 sparse maps repeat keys.
Records = list[tuple[bytes, bytes]]

_NANO = 10**9
_NEWLINE = ord("\n")


def parse_records(body: bytes, offset: int) -> Records:
    """Read the records of one extended header.

    Args:
        body: its content, without padding.
        offset: where it stands in the stream, for the error.

    Raises:
        MalformedTar: a record's length or form is wrong.
    """
    records: Records = []
    at = 0
    size = len(body)
    while at < size:
        space = body.find(b" ", at, at + 20)
        digits = body[at:space]
        end = at + int(digits) if space > at and digits.isdigit() else 0
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if not at < space < end <= size or not equals or body[end - 1] != _NEWLINE:
            message = f"PAX record: want 'LENGTH KEY=VALUE', found {body[at : at + 40]!r}"
            raise MalformedTar(message, offset + at)
        records.append((key, value))
        at = end
    return records


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
    text = value.decode("ascii").strip()
    whole, _, fraction = text.lstrip("+-").partition(".")
    if not (whole + fraction).isdigit():
        message = f"no time: {value!r}"
        raise ValueError(message)
    nanoseconds = int(whole or "0") * _NANO + int((fraction + "0" * 9)[:9])
    return -nanoseconds if text.startswith("-") else nanoseconds


def format_time(nanoseconds: int) -> bytes:
    """Return what `parse_time` reads, without needless digits."""
    sign = "-" if nanoseconds < 0 else ""
    whole, fraction = divmod(abs(nanoseconds), _NANO)
    digits = f"{sign}{whole}.{fraction:09d}".rstrip("0").rstrip(".")
    return digits.encode()
