"""What a merged layer is to say otherwise than its layers: a stage between difference and plan.

Entries are left out of the difference; those that stay may get another header when it is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from lamella.merge.changeset import Changeset
from lamella.merge.nodes import Folder, Node
from lamella.merge.overlay import Tree
from lamella.merge.patterns import NO_PATTERN, PathPatterns
from lamella.tar.entry import Header
from lamella.tar.writer import FURTHEST_TIME

__all__ = ["NOTHING_MEANT", "NO_EDITS", "Edits", "Meant", "meant_in_layer", "meant_in_tree"]


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


class _Visited(NamedTuple):
    path: bytes
    node: Node
    parent: int
    last: int


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
    seen = [_Visited(b"", tree.root, -1, NO_PATTERN)]
    for at, (path, node, _, above) in enumerate(seen):  # which grows meanwhile
        prefix = path + b"/" if path else b""
        for name, kid in _shown(node):
            kid_path = prefix + name
            seen.append(_Visited(kid_path, kid, at, patterns.match(kid_path, above, used)))
    stays = [not patterns.mean(one.last) or one.path in staying for one in seen]
    for at in range(len(seen) - 1, 0, -1):
        stays[seen[at].parent] |= stays[at]
    gone = [one.path for at, one in enumerate(seen) if not stays[at] and stays[one.parent]]
    stay = {one.path for at, one in enumerate(seen) if stays[at] and patterns.mean(one.last)}
    return Meant(gone, used, stay)


def _shown(node: Node) -> Iterator[tuple[bytes, Node]]:
    """Yield what is in a directory, here and below."""
    if not isinstance(node, Folder):
        return
    if node.lower is None:
        kids: Mapping[bytes, Node] = node.kids
    else:
        kids = {**dict(_shown(node.lower)), **node.kids}
    for name, kid in kids.items():
        if kid is not None:
            yield name, kid


def meant_in_layer(changeset: Changeset, patterns: PathPatterns) -> Meant:
    """Return which entries of a layer patterns mean, seen in the image or not."""
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
    for member in changeset.entries:
        if not member.name:  # the root, which is no path in the image
            continue
        path = member.path
        if patterns.mean(patterns.match(path, of_folder(member.folder), used)):
            paths.append(path)
    return Meant(_topmost(paths), used)


def _topmost(paths: Sequence[bytes]) -> list[bytes]:
    """Leave out the paths of which a directory is there, too."""
    kept: list[bytes] = []
    for path in sorted(paths, key=lambda path: path.split(b"/")):
        if not kept or (path != kept[-1] and not path.startswith(kept[-1] + b"/")):
            kept.append(path)
    return kept
