"""What is left of an image once paths are left out and times limited: slowly, and without lamella.

Layers are laid one over the other by the slow reading of the rules. Those of a range have limited
times, and after the last of them what is meant is taken away. A layer that is kept is as it was, so
it may bring something back, or need what is gone: then there is no such image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple

from tests.properties.ignoring import is_meant
from tests.properties.reading import clean
from tests.properties.reference import BrokenLayer, FileSystem, Listing, Node, Row, flatten
from tests.support.tars import Entry, layer

__all__ = ["Finished", "finished", "is_like"]


class Finished(NamedTuple):
    """The files that are to be seen."""

    listing: Listing
    repeated: AbstractSet[bytes]
    """What a merged layer may repeat of those below: directories, and files that it links to. Their
    times are limited, too, if it does."""


def finished(
    image: Sequence[Sequence[Entry]],
    ranges: Sequence[range],
    lines: Sequence[str],
    latest: int | None,
) -> Finished | None:
    """Return the files that are to be seen; None: it can't be done.

    Args:
        image: entries of the layers.
        ranges: positions of those that are squashed.
        lines: patterns of paths to leave out.
        latest: the time that no file of a squashed layer is to be later than.
    """
    chosen = {position for positions in ranges for position in positions}
    ends = {positions.stop - 1 for positions in ranges}
    stay = _stay(flatten(layer(*entries) for entries in image), lines)
    files, gone, linked = FileSystem(), set[bytes](), list[Node]()
    for position, entries in enumerate(image):
        clamped = [_clamped(e, latest) if position in chosen else e for e in entries]
        if position not in chosen and any(_is_in(_removed_from(e), gone) for e in entries):
            return None  # engines make the directory to delete something in it
        before = dict(files.nodes)
        try:
            files.apply(layer(*clamped))
        except BrokenLayer:  # a link to what is gone
            return None
        if position in chosen:
            known = set(before.values())
            linked += [n for p, n in files.nodes.items() if n in known and before.get(p) is not n]
            again = {clean(entry.name) for entry in entries if entry.type == b"1"}
            linked += [n for p, n in files.nodes.items() if p in again and before.get(p) is n]
        if position in ends:
            linked += [node for node, count in Counter(files.nodes.values()).items() if count > 1]
            meant = {path for path in files.nodes if _is_meant(path, lines)}
            meant -= stay | _stay(files.nodes, lines)
            for path in meant:
                del files.nodes[path]
            gone |= meant
    if any(_is_meant(path, lines) for path in files.nodes.keys() - stay):
        return None
    nodes = files.nodes.items()
    repeated = {path for path, node in nodes if node.type == b"5" or node in linked}
    return Finished(files.listing(), repeated)


def _is_meant(path: bytes, lines: Sequence[str]) -> bool:
    return is_meant(path.decode("utf-8", "surrogateescape"), lines)


def _stay(paths: Collection[bytes], lines: Sequence[str]) -> set[bytes]:
    """Return the directories of something that stays."""
    found = set()
    for path in paths:
        if not _is_meant(path, lines):
            names = path.split(b"/")
            found |= {b"/".join(names[:count]) for count in range(1, len(names))}
    return found


def _clamped(entry: Entry, latest: int | None) -> Entry:
    return entry if latest is None or entry.mtime <= latest else replace(entry, mtime=latest)


def _removed_from(entry: Entry) -> bytes | None:
    folder, _, name = clean(entry.name).rpartition(b"/")
    is_removal = name.startswith(b".wh.") and (name[:8] != b".wh..wh." or name == b".wh..wh..opq")
    return folder if is_removal else None


def _is_in(path: bytes | None, gone: Collection[bytes]) -> bool:
    return path is not None and any((path + b"/").startswith(one + b"/") for one in gone)


def is_like(found: Row, want: Row, repeated_by: int | None) -> bool:
    """Compare what is seen at a path.

    A directory without an entry has no time to compare.

    Args:
        found: what is seen.
        want: what is to be seen.
        repeated_by: the time that it may be limited to; None: it is not.
    """
    if want.mtime is None:
        return replace(found, mtime=None) == want
    if repeated_by is not None and found.mtime == min(want.mtime, repeated_by):
        return replace(found, mtime=want.mtime) == want
    return found == want
