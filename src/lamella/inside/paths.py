"""Where a path leads in an image, what is below it, and what it may have been meant to be."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import cast

from lamella.errors import NoSuchFile
from lamella.merge.overlay import Folder, Link
from lamella.rootfs import RootFs
from lamella.tar.entry import SYMLINK, Member, join

__all__ = ["below", "did_you_mean", "did_you_mean_in", "resolve"]

_MOST_LINKS = 40  # as Linux: path_resolution(7)
_OFFERED = 3
_COMPARED = 5000
"""Names that a name is compared with at the most: each takes a tenth of a millisecond."""


def below(paths: Sequence[bytes], folder: bytes, *, recursive: bool) -> list[bytes]:
    """Return the paths of a sorted list that are in a directory, or below it."""
    prefix = folder + b"/" if folder else b""
    first = bisect_left(paths, prefix)
    last = bisect_left(paths, folder + b"0") if folder else len(paths)  # 0 comes after the slash
    found = paths[first:last]
    if recursive:
        return [path for path in found if path]
    return [path for path in found if path and b"/" not in path[len(prefix) :]]


def resolve(path: bytes, root: RootFs, paths: Sequence[bytes], *, follow: bool) -> bytes:
    """Return where a path leads, from the root on; empty: to the root.

    Args:
        path: from the root on, with or without the first slash.
        root: the image.
        paths: all of its paths, sorted.
        follow: whether a symlink at the end is followed; others are in any case.

    Raises:
        NoSuchFile: nowhere.
    """
    left = _parts(path)
    at, links = b"", 0
    while left:
        part = left.pop()
        if part == b"..":
            at = at.rpartition(b"/")[0]
            continue
        here = join(at, part)
        node = root.names.get(here)
        member = node.inode if isinstance(node, Link) else node
        if member is None:
            if links:
                raise NoSuchFile(
                    f"{os.fsdecode(path)}: a symlink on the way leads to /{os.fsdecode(here)}, "
                    "which the image doesn't have"
                )
            offered = did_you_mean(at, part, left[::-1], paths)
            raise NoSuchFile(f"{os.fsdecode(path)}: the image has no such file{offered}")
        is_link = isinstance(member, Member) and member.type == SYMLINK
        if is_link and (left or follow):
            links += 1
            if links > _MOST_LINKS:
                raise NoSuchFile(f"{os.fsdecode(path)}: too many symlinks on the way")
            target = root.header(cast("Member", member)).link
            at = b"" if target.startswith(b"/") else at
            left += _parts(target)
            continue
        if left and not isinstance(member, Folder):
            raise NoSuchFile(f"{os.fsdecode(path)}: {os.fsdecode(here)} is not a directory")
        at = here
    return at


def _parts(path: bytes) -> list[bytes]:
    """Return the names in a path, the first one last."""
    return [part for part in reversed(path.split(b"/")) if part not in {b"", b"."}]


def did_you_mean(folder: bytes, name: bytes, rest: Iterable[bytes], paths: Sequence[bytes]) -> str:
    """Return the end of a message that offers what is most like a path that is not there.

    That is a name like the wrong one in the same directory, or else the same name elsewhere.

    Args:
        folder: as far as the path leads.
        name: what is not in there.
        rest: what was to be below it.
        paths: all that there are, sorted.
    """
    tail = b"".join(b"/" + part for part in rest)
    names = [path.rpartition(b"/")[2] for path in below(paths, folder, recursive=False)]
    texts = {os.fsdecode(one): one for one in names[:_COMPARED]}
    alike = get_close_matches(os.fsdecode(name), texts, _OFFERED)
    found = [join(folder, texts[text]) for text in alike]
    known = [path + tail for path in found if _has(paths, path + tail)] or found
    if not known:
        end = b"/" + (tail.rpartition(b"/")[2] or name)
        known = [path for path in paths if (b"/" + path).endswith(end)][:_OFFERED]
    if not known:
        return ""
    return f"; did you mean {' or '.join('/' + os.fsdecode(path) for path in known)}?"


def did_you_mean_in(paths: Sequence[bytes], path: bytes) -> str:
    """Return what `did_you_mean` does, for a path without symlinks, of a list of paths alone."""
    known = {path[: at or len(path)] for path in paths for at in _slashes(path)}
    every = sorted(known)
    folder, parts = b"", _parts(path)
    while parts and join(folder, parts[-1]) in known:
        folder = join(folder, parts.pop())
    return did_you_mean(folder, parts.pop(), parts[::-1], every) if parts else ""


def _slashes(path: bytes) -> list[int]:
    """Return where the slashes of a path are; 0 stands for its end."""
    return [0, *(at for at, letter in enumerate(path) if letter == ord("/"))]


def _has(paths: Sequence[bytes], path: bytes) -> bool:
    at = bisect_left(paths, path)
    return at < len(paths) and paths[at] == path
