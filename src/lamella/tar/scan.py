"""Pass over the headers of a tar, without touching its content.

What is accepted is what Go's archive/tar, which all engines use, accepts: V7, ustar, PAX, GNU long
names, base-256 numbers, sparse files in all their forms. Global PAX headers are passed over
(engines never apply them). docs/tar.md has the rules and where lamella differs. The time per member
is what bounds lamella on images of many small files, hence the one loop with local names; what is
rare is left to `rare`.
"""

from __future__ import annotations

import re
from struct import Struct

from zlib_ng import zlib_ng

from lamella.errors import MalformedTar
from lamella.limits import NAME
from lamella.tar.entry import (
    DIRECTORY,
    HARD_LINK,
    REGULAR,
    REWRITE,
    Member,
    ReadAt,
    clean,
    window_of,
)
from lamella.tar.header import (
    BLOCK,
    POSIX_MAGIC,
    STAR_TRAILER,
    parse_number,
    parse_octal,
    until_nul,
)
from lamella.tar.pax import in_force, numbers_in, parse_records
from lamella.tar.rare import TYPES, check_end, path_of, read_member, truncated

__all__ = ["scan"]

# What a scan needs: name; mode, uid, gid; size; mtime; checksum; type; the first byte of linkname,
# which tells whether there is one; both device numbers and the first byte of prefix.
_BRIEF = Struct("100s24s12s12s8scc171x17s166x")
# What is read at once costs a big member little (1024 to 4096 are alike); where members are small
# it grows, so that one system call serves many.
_WINDOW, _LARGEST_WINDOW, _SMALL = 2048, 1 << 16, 4096
_EXTENDED = frozenset({b"x", b"L"})
_BLANK = frozenset({b"\0", b" "})
_DIGITS = b"01234567"
_NAMES = (b"path", b"linkpath")
_NO_NAMES = frozenset({b"", b".", b".."})
# What PAX keys contain that change a member's extent or form.
_CHANGES_FORM = (b"size=", b"GNU.sparse", b".overlay.")
# Records of times as they are written today: that they are sound shows at a glance.
_TIMES = re.compile(
    rb"(?:20 [amc]time=\d{10}\n|%s)*\Z"
    % b"|".join(
        rb"%d [amc]time=\d{10}\.\d{%d}\n" % (21 + digits, digits) for digits in range(1, 10)
    )
).match
_FEW = 4096


class _Checksums(dict[bytes, int]):
    """What Adler-32's low half must be over a header with such a checksum field.

    It is the sum of all bytes plus one, modulo 65521; in the sum that is to be, the field itself
    counts as eight blanks. See `header.checksum_holds`, which has the last word.
    """

    def __missing__(self, field: bytes) -> int:
        try:
            wanted = (parse_octal(field) - 8 * 32 + sum(field) + 1) % 65521
        except ValueError:
            wanted = -1
        self[field] = wanted
        return wanted


class _Sound(dict[bytes, bool]):
    """Whether number fields that stand side by side hold numbers; headers repeat them a lot."""

    def __missing__(self, fields: bytes) -> bool:
        if len(self) >= _FEW:
            self.clear()  # nothing repeats itself here
        width = 8 if len(fields) % 8 == 0 else len(fields)
        try:
            for at in range(0, len(fields), width):
                parse_number(fields[at : at + width])
            sound = True
        except ValueError:
            sound = False
        self[fields] = sound
        return sound


class _Sizes(dict[bytes, int]):
    """What size fields say: those of octal digits; -1 for others. Small sizes repeat themselves."""

    def __missing__(self, field: bytes) -> int:
        if len(self) >= _FEW:
            self.clear()
        octal = field[:11]
        known = field[11:] in _BLANK and not octal.strip(_DIGITS)
        self[field] = size = int(octal, 8) if known else -1
        return size


class _Tails(dict[bytes, bool]):
    """Whether both device numbers are numbers, and no prefix follows them."""

    def __init__(self, sound: _Sound) -> None:
        super().__init__()
        self._sound = sound

    def __missing__(self, fields: bytes) -> bool:
        if len(self) >= _FEW:
            self.clear()
        found = self[fields] = fields[16:] == b"\0" and self._sound[fields[:16]]
        return found


class _Folders(dict[bytes, bytes | None]):
    """Paths of directories as written and cleaned; None for one that engines may read differently.

    Members of a directory follow each other, so it is worth looking at it only once.
    """

    def __missing__(self, written: bytes) -> bytes | None:
        path = clean(written)
        plain = written == path or written == (b"./" + path if path else b".")
        self[written] = found = path if plain else None
        return found


def _names_in(kind: bytes, body: bytes, offset: int) -> dict[bytes, bytes] | None:
    """Return what an extended header says of path and link, as PAX records; perhaps more.

    None: what it says changes more than names, or has to be looked at.
    """
    if kind == b"L":
        known = {b"path": name} if (name := until_nul(body)) else {}
    elif _TIMES(body):
        return {}
    elif any(map(body.__contains__, _CHANGES_FORM)):
        return None
    else:
        known = in_force(parse_records(body, offset))
        try:
            numbers_in(known, offset)
        except MalformedTar:
            return None  # no fault, if another header follows that replaces this one
    return None if any(len(known.get(key, b"")) > NAME for key in _NAMES) else known


def scan(source: ReadAt, origin: int = 0, found: list[Member] | None = None) -> list[Member]:  # noqa: C901, PLR0912, PLR0915 - hot
    """Return the members of a tar, in order.

    Args:
        source: the uncompressed stream. It is read forward; only the headers of the member at hand
            may be read again.
        origin: the number that each member is given.
        found: what is returned, for a source that has to know the members before the one at hand.

    Raises:
        MalformedTar: the stream is damaged, or a member has a type that no engine knows.
    """
    members: list[Member] = [] if found is None else found
    append, new, brief = members.append, tuple.__new__, _BRIEF.unpack_from
    checksums, sound, folders, names = _Checksums(), _Sound(), _Folders(), dict[bytes, bytes]()
    sizes, tails, times, owners, ends = _Sizes(), _Tails(sound), b"", b"", b""
    adler32, read_window, size_of_source = zlib_ng.adler32, window_of(source), source.size
    at, window, base, length, served = 0, b"", 0, _WINDOW, 0
    start = -1  # where the extended header of the coming member begins, if it has one
    while at < size_of_source:
        i = at - base
        if i + BLOCK > len(window):
            many = i < (len(members) - served) * _SMALL
            length = min(2 * length, _LARGEST_WINDOW) if many else _WINDOW
            window, base, i, served = read_window(at, length), at, 0, len(members)
            if len(window) < BLOCK:
                raise truncated("header", BLOCK, window, at)
        name, owner, octal, mtime, check, kind, to, tail = brief(window, i)
        size = sizes[octal]
        plain = (
            size >= 0
            and adler32(window[i : i + BLOCK]) & 0xFFFF == checksums[check]
            and (owner == owners or sound[owner])
            and (mtime == times or mtime.strip(_DIGITS) in _BLANK or sound[mtime])
        )
        # Those before were sound: `read_member` lets no others pass, whatever else is not plain.
        owners, times, name = owner, mtime, name.partition(b"\0")[0]
        if tail == ends or tails[tail]:
            ends = tail
        else:
            plain = plain and sound[tail[:16]]
            if tail[16:] != b"\0":
                posix = window[i + 257 : i + 263] == POSIX_MAGIC
                name = until_nul(window[i + 345 : i + 500]) + b"/" + name
                plain = plain and posix and window[i + 508 : i + 512] != STAR_TRAILER
        if not plain or kind not in TYPES:
            if plain and kind in _EXTENDED:
                body = window[i + BLOCK : i + BLOCK + size]
                if len(body) < size and i:
                    window = b""  # read on from here
                    continue
                told = _names_in(kind, body, at + BLOCK) if len(body) == size else None
                if told is not None and start < 0:
                    names, start, at = told, at, at + BLOCK + (size + 511 & ~511)
                    continue
            step = read_member(source, at if start < 0 else start, origin)
            if step is None:
                break
            (at, member), start = step, -1
            if member is not None:
                append(member)
            continue
        link = until_nul(window[i + 157 : i + 257]) if to != b"\0" else b""
        data = at + BLOCK
        first, head = at, BLOCK
        if start >= 0:
            first, head, start = start, data - start, -1
            name, link = names.get(b"path", name), names.get(b"linkpath", link)
        path = name[:-1] if kind == DIRECTORY and name[-1:] == b"/" else name
        above, slash, base_name = path.rpartition(b"/")
        folder, flags = folders[above], 0
        if folder is None or base_name in _NO_NAMES or (slash and not above):
            path, flags = path_of(name, kind)
            folder, _, base_name = path.rpartition(b"/")
        if kind == REGULAR:
            at = data + (size + 511 & ~511)
            if at > size_of_source:
                flags |= check_end(data, size, size_of_source)
        else:
            if size and kind == HARD_LINK:
                flags |= REWRITE  # engines look for no content behind it, others do
            at, size = data, 0
        append(new(Member, (folder, base_name, kind, link, first, head, size, flags, origin)))
    return members
