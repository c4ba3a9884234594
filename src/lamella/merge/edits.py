"""What a merged layer is to say otherwise than its layers: a stage between difference and plan.

Entries are left out of the difference; those that stay may get another header when it is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from lamella.merge.nodes import Folder, Node
from lamella.merge.overlay import Tree
from lamella.merge.patterns import NO_PATTERN, PathPatterns
from lamella.tar.entry import Header, Member
from lamella.tar.writer import FURTHEST_TIME

__all__ = ["NOTHING_MEANT", "NO_EDITS", "Edits", "Meant", "meant_among", "meant_in_tree"]


@dataclass(frozen=True)
class Edits:
    """How a merged layer is changed."""

    leave_out: PathPatterns | None = None
    """Paths that the image is not to have, whichever layer they are from."""
    latest: int | None = None
    """The latest time of an entry, in nanoseconds since 1970: whole seconds, not negative."""
    change: Callable[[Header], Header] | None = None
    """What else the header of an entry becomes: another owner, mode, name, attributes. Hard links
    repeat those of their file."""

    def __post_init__(self) -> None:
        """Check that headers can say the time.

        Raises:
            ValueError: they can't.
        """
        if self.latest is not None and not 0 <= self.latest <= FURTHEST_TIME:
            message = f"latest: expected 0 to {FURTHEST_TIME} ns, got {self.latest}"
            raise ValueError(message)

    @property
    def is_none(self) -> bool:
        """Whether a layer becomes what it would be anyway."""
        return self.leave_out is None and self.latest is None and self.change is None

    def apply(self, difference: Tree, staying: AbstractSet[bytes] = frozenset()) -> Meant:
        """Leave out of a difference, and of what it shows of the layers below, what is meant.

        Args:
            difference: is changed.
            staying: directories that stay, for something that layers above put into them.
        """
        if self.leave_out is None:
            return NOTHING_MEANT
        meant = meant_in_tree(difference, self.leave_out, staying)
        for path in meant.paths:
            difference.leave_out(path)
        return meant

    def edited(self, header: Header) -> Header:
        """Return what becomes of an entry's header."""
        if self.change is not None:
            header = self.change(header)
        if self.latest is not None and header.mtime > self.latest:
            header = header._replace(mtime=self.latest)
        return header


NO_EDITS = Edits()


class Meant(NamedTuple):
    """Paths that patterns mean."""

    paths: list[bytes]
    """Of a directory that is gone with all that is in it, its own alone."""
    used: AbstractSet[int]
    """The numbers of the patterns that match anything."""
    stay: AbstractSet[bytes] = frozenset()
    """Directories that are meant but stay, for what is brought back of them."""


NOTHING_MEANT = Meant([], frozenset())


def meant_in_tree(
    tree: Tree, patterns: PathPatterns, staying: AbstractSet[bytes] = frozenset()
) -> Meant:
    """Return which of the paths that a tree shows, with those below it, patterns mean.

    A directory of which something is brought back stays.

    Args:
        tree: the tree.
        patterns: the patterns.
        staying: further directories that stay.
    """
    used: set[int] = set()
    # Directories, and files of which a pattern says something: path, node, whose kid it is, and the
    # last pattern that matches it.
    seen: list[tuple[bytes, Node, int, int]] = [(b"", tree.root, 0, NO_PATTERN)]
    stays = [True]
    for at, (path, node, _, above) in enumerate(seen):  # which grows meanwhile
        if not isinstance(node, Folder):
            continue
        match, prefix = patterns.inside(path).match, path + b"/" if path else b""
        for name, kid in _shown(node):
            last = match(name, above, used)
            if last == NO_PATTERN and not isinstance(kid, Folder):
                stays[at] = True
                continue
            kid_path = prefix + name
            seen.append((kid_path, kid, at, last))
            stays.append(not patterns.mean(last) or kid_path in staying)
    for at in range(len(seen) - 1, 0, -1):
        stays[seen[at][2]] |= stays[at]
    gone = [path for at, (path, _, parent, _) in enumerate(seen) if not stays[at] and stays[parent]]
    stay = {path for at, (path, *_, last) in enumerate(seen) if stays[at] and patterns.mean(last)}
    return Meant(gone, used, stay)


def _shown(node: Folder) -> Iterator[tuple[bytes, Node]]:
    """Yield what is in a directory, here and below."""
    if node.lower is None:
        kids: Mapping[bytes, Node] = node.kids
    else:
        kids = {**dict(_shown(node.lower)), **node.kids}
    for name, kid in kids.items():
        if kid is not None:
            yield name, kid


def meant_among(entries: Iterable[Member], patterns: PathPatterns) -> Meant:
    """Return which entries of layers patterns mean, seen in the image or not."""
    known: dict[bytes, int] = {b"": NO_PATTERN}
    used: set[int] = set()

    def of_folder(path: bytes) -> int:
        todo = []
        while path not in known:
            todo.append(path)
            path = path.rpartition(b"/")[0]
        for below in reversed(todo):
            known[below] = patterns.match(below, known[below.rpartition(b"/")[0]], used)
        return known[todo[0]] if todo else known[path]

    paths = []
    folder: bytes | None = None
    for member in entries:
        if not member.name:  # the root, which is no path in the image
            continue
        if member.folder is not folder:  # neighbours share one
            folder = member.folder
            match, above = patterns.inside(folder).match, of_folder(folder)
        if patterns.mean(match(member.name, above, used)):
            paths.append(member.path)
    return Meant(_topmost(paths), used)


def _topmost(paths: Sequence[bytes]) -> list[bytes]:
    """Leave out the paths of which a directory is there, too."""
    kept: list[bytes] = []
    for path in sorted(paths, key=lambda path: path.split(b"/")):
        if not kept or (path != kept[-1] and not path.startswith(kept[-1] + b"/")):
            kept.append(path)
    return kept
