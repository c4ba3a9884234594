"""What a file is that is no image archive, as far as its start and its names tell."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable
from typing import BinaryIO, cast

from lamella.layer.blob import CHUNK
from lamella.layer.protocols import Readable

__all__ = ["AGAIN", "layer_number", "read_head", "what_is", "why_no_image", "with_head"]

AGAIN = "download or save it again"
"""The way out for an archive whose end is missing."""
_KINDS = (
    (b"%PDF-", "a PDF"),
    (b"PK\3\4", "a zip file"),
    (b"PK\5\6", "a zip file"),
    (b"\x7fELF", "a program (ELF)"),
    (b"!<arch>\n", "an ar archive (a Debian package?)"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\7", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"0707", "a cpio archive"),
    (b"hsqs", "a squashfs file system"),
    (b"QFI\xfb", "a disk (qcow2)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_WEB_PAGE = re.compile(r"\s*<(!doctype html|html)", re.IGNORECASE)
_NO_TEXT = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_USTAR_AT = slice(257, 262)
_MARKS = (b"manifest.json", b"index.json")
_SYSTEM = (b"bin", b"etc", b"usr")


def read_head(stream: Readable, size: int) -> bytes:
    """Read the first bytes of a stream; fewer only if it has no more."""
    head = b""
    while len(head) < size and (chunk := stream.read(size - len(head))):
        head += chunk
    return head


def with_head(head: bytes, rest: Readable) -> BinaryIO:
    """Return a stream whose first bytes were read already."""
    return cast("BinaryIO", io.BufferedReader(_Headed(head, rest), CHUNK))


class _Headed(io.RawIOBase):
    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(chunk) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


def what_is(head: bytes) -> str:
    """Name what begins so and is no tar."""
    if not head:
        return "nothing: it is empty"
    if head[_USTAR_AT] == b"ustar":
        return f"a tar whose first header is damaged or cut off; {AGAIN}"
    if not head.strip(b"\0"):
        return "zeros"
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), _kind_of_text(head))


def _kind_of_text(head: bytes) -> str:
    text = head.decode("utf-8", "surrogateescape")
    if _NO_TEXT.search(text) or any("\udc80" <= c <= "\udcff" for c in text[:-3]):
        return "data of an unknown kind"
    if _WEB_PAGE.match(text):
        return "a web page (HTML)"
    return "JSON" if text.lstrip()[:1] in {"{", "["} else "text"


def layer_number(manifest: bytes, name: str) -> int:
    """Return the number of the layer that a file is, by a ``manifest.json``; 0: it is none."""
    try:
        [image] = json.loads(manifest)
        return int(image["Layers"].index(name)) + 1
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return 0


def why_no_image(paths: Iterable[bytes]) -> str:
    """Say what a tar is that has no image at its top, by the paths of what is in it."""
    tops = set()
    for path in paths:
        folder, _, name = path.rpartition(b"/")
        if folder and name in _MARKS:
            where = os.fsdecode(folder)
            return f"{where}/{os.fsdecode(name)}; pack what is in {where}/, not the folder"
        tops.add(path.partition(b"/")[0])
    if tops.issuperset(_SYSTEM):
        return "a file system, as docker export writes it; docker save writes an image"
    return "neither"
