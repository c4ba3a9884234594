"""Limits the time in header blocks as they are: every other field stays as it is written."""

from __future__ import annotations

from lamella.tar.header import parse_number, parse_octal
from lamella.tar.writer import with_time

__all__ = ["TIME_FIELD", "TimeLimit"]

TIME_FIELD = slice(136, 156)
"""What changes of a block: the time, and the checksum behind it."""

_FEW = 4096
"""Times and checksums that are remembered: neighbours often have the same."""
_SUMS = 65521
"""Checksums that a scan tells apart; a block of ASCII has none beyond, and in it each byte counts
the same with a sign and without."""


class TimeLimit:
    """The latest time that a header may tell.

    Blocks are of members whose time no further header tells.
    """

    def __init__(self, seconds: int) -> None:
        """Take over the time: whole seconds since 1970 that fit the field."""
        self._seconds = seconds
        self._differences = _Differences(seconds)
        self._sums = _Sums()
        self._fields: dict[int, bytes] = {}

    def is_late(self, block: bytes) -> bool:
        """Whether a block tells a later time."""
        return self._differences[block[136:148]] is not None

    def limited(self, block: bytes) -> bytes | None:
        """Return what comes into the `TIME_FIELD` of a block; None: it is not late.

        The new checksum is told from the old one; a block is added up only where that can't be.
        """
        difference = self._differences[block[136:148]]
        if difference is None:
            return None
        checksum = self._sums[block[148:156]]
        if checksum < 0 or not block.isascii():
            return with_time(block, self._seconds)[TIME_FIELD]
        field = self._fields.get(checksum + difference)
        if field is None:
            field = with_time(block, self._seconds)[TIME_FIELD]
            self._fields[checksum + difference] = field
        return field


class _Differences(dict[bytes, int | None]):
    """By time field: how the checksum changes; None if the time need not.

    What is no number stays: a scan lets none pass.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self._seconds = seconds
        self._sum = sum(b"%011o\0" % seconds)

    def __missing__(self, field: bytes) -> int | None:
        if len(self) >= _FEW:
            self.clear()
        try:
            late = parse_number(field) > self._seconds
        except ValueError:
            late = False
        self[field] = difference = self._sum - sum(field) if late else None
        return difference


class _Sums(dict[bytes, int]):
    """By checksum field: the checksum; -1 if only the block itself tells it."""

    def __missing__(self, field: bytes) -> int:
        if len(self) >= _FEW:
            self.clear()
        try:
            checksum = parse_octal(field)
        except ValueError:
            checksum = -1
        self[field] = checksum = checksum if checksum < _SUMS else -1
        return checksum
