"""What a tar holds, as lamella reads it, in the form in which `reader.go` tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from lamella.errors import MalformedTar
from lamella.layer.blob import Bytes
from lamella.limits import NAME, PATH
from lamella.tar.entry import HARD_LINK, Header, clean
from lamella.tar.header import STAR_TRAILER
from lamella.tar.reader import iter_content, read_header
from lamella.tar.scan import scan

__all__ = ["Entry", "difference", "expected", "found"]

MOST = 1 << 20  # bytes of content that are compared; holes can make a file of any size
_TYPES = {b"\0": b"0", b"7": b"0", b"S": b"0"} | {b"%d" % n: b"%d" % n for n in range(7)}
_DEVICES = (b"3", b"4")

Entry = tuple[object, ...]


def found(raw: bytes) -> list[Entry] | None:
    """Return the entries that lamella finds; None: it refuses the tar."""
    source = Bytes(raw)
    try:
        return [
            (
                member.path,
                member.size if member.type != b"0" else header.size,
                *_fields(header),
                _digest(iter_content(source, member)),
            )
            for member in scan(source)
            for header in [read_header(source, member)]
        ]
    except MalformedTar:
        return None


def _fields(header: Header) -> Entry:
    device = header.type in _DEVICES
    xattrs = sorted((key, value) for key, value in header.xattrs.items() if value)
    return (
        header.name,
        header.type,
        header.link,
        header.mode,
        header.uid,
        header.gid,
        header.mtime,
        header.uname,
        header.gname,
        (header.devmajor, header.devminor) if device else (0, 0),
        xattrs,
    )


def _digest(chunks: Iterable[bytes]) -> str:
    digest, left = hashlib.sha256(), MOST
    for chunk in chunks:
        digest.update(chunk[:left])
        left -= len(chunk)
        if left <= 0:
            break
    return digest.hexdigest()


def expected(answer: dict[str, Any]) -> list[Entry] | None:
    """Return what lamella should find, from what Go found: the table in docs/tar.md is applied."""
    if answer["error"] or any(entry["error"] for entry in answer["entries"]):
        return None
    entries: list[Entry] = []
    for entry in answer["entries"]:
        name, link, kind = (bytes.fromhex(entry[key]) for key in ("name", "link", "type"))
        if kind == b"g":
            continue
        if kind not in _TYPES or _is_refused(name, link, kind):
            return None
        kind = _TYPES[kind]
        device = (entry["devmajor"], entry["devminor"]) if kind in _DEVICES else (0, 0)
        entries.append(
            (
                clean(name),
                entry["size"] if kind == b"0" else 0,
                name,
                kind,
                link,
                entry["mode"],
                entry["uid"],
                entry["gid"],
                entry["seconds"] * 10**9 + entry["nanos"],
                bytes.fromhex(entry["uname"]),
                bytes.fromhex(entry["gname"]),
                device,
                [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in entry["xattrs"]],
                entry["content"],
            )
        )
    return entries


def _is_refused(name: bytes, link: bytes, kind: bytes) -> bool:
    """Whether no engine could make such a file on Linux."""
    path = clean(name)
    target = clean(link) if kind == HARD_LINK else link
    return (
        b"\0" in name
        or len(path) >= PATH
        or len(target) >= PATH
        or any(len(part.removeprefix(b".wh.")) > NAME for part in path.split(b"/"))
    )


def difference(raw: bytes, answer: dict[str, Any]) -> str | None:
    """Return in what the two readings differ beyond the table; None: in nothing."""
    ours, theirs = found(raw), expected(answer)
    if ours == theirs or (theirs is None and _has_star_times(raw)):
        return None
    return f"found {ours}\nexpected {theirs}\nGo: {answer}"


def _has_star_times(raw: bytes) -> bool:
    """Whether a header is star's, without a prefix: its two times are not looked at."""
    return any(
        raw[at + 508 : at + 512] == STAR_TRAILER and not raw[at + 345]
        for at in range(0, len(raw) - 511, 512)
    )
