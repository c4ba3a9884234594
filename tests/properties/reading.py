"""A plain tar reader for the checks: everything in memory, nothing shared with lamella.

It takes what `tests.support.tars` writes and what a merged layer may contain, and knows how each
member was written, so that the form can be checked as well as the meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Read", "clean", "read_tar"]

_NANO = 10**9


@dataclass(frozen=True)
class Read:
    """One member as read."""

    name: bytes
    """As written."""
    type: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    link: bytes
    content: bytes
    device: tuple[int, int]
    xattrs: tuple[tuple[bytes, bytes], ...]
    headers: bytes
    """Types of the extended headers before it."""
    raw: bytes

    @property
    def path(self) -> bytes:
        """The name below the root."""
        return clean(self.name)


def clean(name: bytes) -> bytes:
    """Return a name without slashes and dots that mean nothing; ``..`` stops at the root."""
    kept: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            kept = kept[:-1]
        elif part and part != b".":
            kept.append(part)
    return b"/".join(kept)


def read_tar(tar: bytes) -> tuple[list[Read], bytes]:
    """Return the members of a tar, and what follows the last one."""
    members: list[Read] = []
    at = 0
    while tar[at : at + 512].strip(b"\0"):
        start, headers = at, b""
        told: dict[bytes, bytes] = {}
        while tar[at + 156 : at + 157] in {b"x", b"g", b"L", b"K"}:
            kind, size = tar[at + 156 : at + 157], _number(tar[at + 124 : at + 136])
            body = tar[at + 512 : at + 512 + size]
            if kind == b"x":
                told |= _records(body)
            elif kind in b"LK":
                told[{b"L": b"path", b"K": b"linkpath"}[kind]] = body.rstrip(b"\0")
            headers += kind
            at += 512 + -(-size // 512) * 512
        head = tar[at : at + 512]
        member, length = _member(head, told, headers)
        at += 512
        content = tar[at : at + length]
        assert len(content) == length, "a member is cut off"
        at += -(-length // 512) * 512
        if told.get(b"GNU.sparse.major") == b"1":
            content = _expanded(content, int(told[b"GNU.sparse.realsize"]))
        members.append(Read(**member, content=content, headers=headers, raw=tar[start:at]))  # type: ignore[arg-type]
    return members, tar[at:]


def _member(head: bytes, told: dict[bytes, bytes], headers: bytes) -> tuple[dict[str, object], int]:
    name, prefix = _text(head[:100]), _text(head[345:500])
    posix, gnu = head[257:263] == b"ustar\0", head[257:265] == b"ustar  \0"
    if prefix and (posix or (gnu and prefix.isascii() and not prefix[:11].isdigit())):
        name = prefix + b"/" + name
    name = told.get(b"GNU.sparse.name") or told.get(b"path") or name
    kind = head[156:157]
    if kind == b"\0":
        kind = b"5" if name.endswith(b"/") else b"0"
    mtime = _number(head[136:148]) * _NANO
    if told.get(b"mtime"):
        mtime = _time(told[b"mtime"])
    xattrs = {k[13:]: v for k, v in told.items() if k.startswith(b"SCHILY.xattr.") and v}
    device = (_number(head[329:337]), _number(head[337:345])) if kind in b"34" else (0, 0)
    size = int(told[b"size"]) if told.get(b"size") else _number(head[124:136])
    return {
        "name": name,
        "type": kind,
        "mode": _number(head[100:108]) & 0o7777,
        "uid": int(told.get(b"uid") or _number(head[108:116])),
        "gid": int(told.get(b"gid") or _number(head[116:124])),
        "mtime": mtime,
        "link": told.get(b"linkpath") or _text(head[157:257]),
        "device": device,
        "xattrs": tuple(sorted(xattrs.items())),
    }, size if kind == b"0" else 0


def _expanded(stored: bytes, size: int) -> bytes:
    """Return the content of a sparse file (PAX 1.0): lines with its map, then its parts."""
    count, _, rest = stored.partition(b"\n")
    *lines, _ = rest.split(b"\n", 2 * int(count))
    used = len(count) + 1 + sum(len(line) + 1 for line in lines)
    at = -(-used // 512) * 512
    content = bytearray(size)
    for offset, length in zip(map(int, lines[::2]), map(int, lines[1::2]), strict=True):
        content[offset : offset + length] = stored[at : at + length]
        at += length
    assert (at, len(content)) == (len(stored), size), "a sparse file is not what its map says"
    return bytes(content)


def _text(field: bytes) -> bytes:
    return field.split(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] & 128:
        return int.from_bytes(bytes([field[0] & 127]) + field[1:], "big")
    digits = field.strip(b"\0 ")
    return int(digits, 8) if digits else 0


def _time(value: bytes) -> int:
    whole, _, fraction = value.lstrip(b"-").partition(b".")
    found = int(whole) * _NANO + int(fraction.ljust(9, b"0")[:9])
    return -found if value.startswith(b"-") else found


def _records(body: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    while body:
        length = int(body.split(b" ", 1)[0])
        key, _, value = body[: length - 1].split(b" ", 1)[1].partition(b"=")
        found[key] = value
        body = body[length:]
    return found
