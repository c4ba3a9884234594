"""Files of an image as lines like those of ``ls -l``, and as JSON."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamella.inside.file import File, FileType
from lamella.report.text import printable
from lamella.tar.entry import path_text, time_text

__all__ = ["content_lines", "file_lines", "minute_text", "mode_text", "shown_path", "to_json"]

_KINDS: Mapping[FileType, int] = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "char device": stat.S_IFCHR,
    "block device": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
}
_ARROWS: Mapping[FileType, str] = {"symlink": " -> ", "hard link": " link to /"}
_ENDS: Mapping[FileType, str] = {"deletion": " (deleted)", "opaque": " (lower content deleted)"}
_LONGEST_LINE = 4096
"""Bytes of a line of text that are shown in one go."""


def shown_path(path: str) -> str:
    r"""Return a path as text that does nothing to a terminal; what is no UTF-8 as ``\xNN``."""
    return printable(path_text(os.fsencode(path)))


def mode_text(file: File) -> str:
    """Return type and mode as ``ls -l`` has them; ``h`` is a hard link, as for tar."""
    kind = _KINDS.get(file.type)
    if kind is None:
        return "h" + stat.filemode(file.mode)[1:] if file.type == "hard link" else "-" * 10
    return stat.filemode(kind | file.mode)


def minute_text(nanoseconds: int) -> str:
    """Return a time in UTC, to the minute."""
    exact = time_text(nanoseconds)
    return exact if exact.startswith("@") else f"{exact[:10]} {exact[11:16]}"


def file_lines(files: Sequence[File], *, whole: bool) -> Iterator[str]:
    """Yield a line for each file: mode, owner, size, time, name, and where a link leads.

    Args:
        files: which; columns are as wide as they need.
        whole: show whole paths, from the root on; else names.
    """
    owners = ["" if file.type in _ENDS else f"{file.uid}:{file.gid}" for file in files]
    sizes = [_size(file) for file in files]
    owner_width, size_width = (max(map(len, texts), default=0) for texts in (owners, sizes))
    for file, owner, size in zip(files, owners, sizes, strict=True):
        name = f"/{file.path}" if whole else file.path.rpartition("/")[2]
        time = "" if file.type in _ENDS else minute_text(file.mtime_ns)
        target = _ARROWS[file.type] + shown_path(file.target) if file.type in _ARROWS else ""
        yield (
            f"{mode_text(file)} {owner:<{owner_width}} {size:>{size_width}} "
            f"{time:<16} {shown_path(name)}{target}{_ENDS.get(file.type, '')}"
        )


def _size(file: File) -> str:
    if file.type in _ENDS:
        return ""
    return f"{file.device[0]}, {file.device[1]}" if file.device else str(file.size)


def content_lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yield a file's content as lines for a terminal, where only line ends and tabs do anything."""
    held = b""
    for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        while len(held) > _LONGEST_LINE:
            lines.append(held[:_LONGEST_LINE])
            held = held[_LONGEST_LINE:]
        for line in lines:
            yield path_text(line).expandtabs()
    if held:
        yield path_text(held).expandtabs()


def to_json(
    reference: str, image_id: str, path: str, layer: int | None, files: Sequence[File]
) -> dict[str, Any]:
    """Return the document of ``lamella ls --json`` (see docs/json.md).

    Args:
        reference: of the image, as it was named.
        image_id: digest of its config.
        path: what was asked for.
        layer: position of the layer that was asked for; None: all together.
        files: what was found.
    """
    return {
        "version": 1,
        "reference": reference,
        "id": image_id,
        "path": path_text(os.fsencode(path)),
        "layer": None if layer is None else layer + 1,
        "files": [_to_json(file) for file in files],
    }


def _to_json(file: File) -> dict[str, Any]:
    return {
        "path": path_text(os.fsencode(file.path)),
        "type": file.type,
        "mode": f"{file.mode:04o}",
        "uid": file.uid,
        "gid": file.gid,
        "size": file.size,
        "mtime": time_text(file.mtime_ns),
        "target": path_text(os.fsencode(file.target)),
        "device": None if file.device is None else list(file.device),
        "xattrs": {
            path_text(os.fsencode(name)): base64.b64encode(value).decode()
            for name, value in file.xattrs.items()
        },
        "layer": None if file.layer is None else file.layer + 1,
    }
