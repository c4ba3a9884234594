"""What a scan found, packed column by column: small, and many times as fast to get as by a scan.

No step of unpacking is a loop over members: columns are cut, repeated and put together by what is
built in.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, groupby, repeat
from typing import TypeVar, cast

from lamella.tar.entry import Member
from lamella.tar.header import BLOCK

__all__ = ["pack_members", "unpack_members"]

_T = TypeVar("_T")
_LENGTHS = struct.Struct("=13Q")
"""Bytes of each column, in the order in which `pack_members` names them."""


def pack_members(members: Sequence[Member]) -> bytes | None:
    """Return members as bytes, all but their origin; None if they can't be packed.

    Numbers are in this machine's byte order.
    """
    runs = [(folder, len(list(run))) for folder, run in groupby([m.folder for m in members])]
    folders = {folder: number for number, folder in enumerate(dict(runs))}
    linked, links = _unusual([m.link for m in members], b"")
    headed, heads = _unusual([m.head for m in members], BLOCK)
    flagged, flags = _unusual([m.flags for m in members], 0)
    texts: list[Sequence[bytes]] = [list(folders), [m.name for m in members], links]
    packed = [b"".join(map(b"%b\0".__mod__, column)) for column in texts]
    if any(p.count(b"\0") != len(column) for p, column in zip(packed, texts, strict=True)):
        return None  # a PAX record can say a name with a NUL in it
    packed.append(b"".join([m.type for m in members]))
    packed += [
        array("q", column).tobytes()
        for column in (
            [folders[folder] for folder, _ in runs],
            [length for _, length in runs],
            [m.start for m in members],
            [m.size for m in members],
            *(linked, headed, heads, flagged, flags),
        )
    ]
    return b"".join([_LENGTHS.pack(*map(len, packed)), *packed])


def unpack_members(packed: bytes, origin: int) -> list[Member]:
    """Return members as they were packed, but for their origin, which is given."""
    columns, at = [], _LENGTHS.size
    for length in _LENGTHS.unpack_from(packed):
        columns.append(packed[at : at + length])
        at += length
    folders, names, links = (column.split(b"\0")[:-1] for column in columns[:3])
    runs, lengths, starts, sizes, *rare = (array("q", column).tolist() for column in columns[4:])
    linked, headed, heads, flagged, flags = rare
    count = len(names)
    fields = (
        chain.from_iterable(map(repeat, map(folders.__getitem__, runs), lengths)),
        names,
        struct.unpack(f"{count}c", columns[3]),
        _usual(b"", count, linked, links),
        starts,
        _usual(BLOCK, count, headed, heads),
        sizes,
        _usual(0, count, flagged, flags),
        repeat(origin, count),
    )
    new = cast("Callable[[tuple[object, ...]], Member]", partial(tuple.__new__, Member))
    return list(map(new, zip(*fields, strict=True)))


def _unusual(column: Sequence[_T], usual: _T) -> tuple[list[int], list[_T]]:
    """Return where a column has something else than nearly everywhere, and what."""
    places = [place for place, value in enumerate(column) if value != usual]
    return places, [column[place] for place in places]


def _usual(usual: _T, count: int, places: Iterable[int], values: Iterable[_T]) -> list[_T]:
    """Undo `_unusual`."""
    column = [usual] * count
    for place, value in zip(places, values, strict=True):
        column[place] = value
    return column
