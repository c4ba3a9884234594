"""An image's file system as a container sees it, and whether two are the same.

Compared are paths, types, modes, owners, times to the nanosecond, sizes, content, link targets,
groups of hard links, extended attributes and device numbers; of the config all but what a squash
has to change. Left out are the attributes of the root directory, which engines set as they like,
and the time of directories that no layer has an entry for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import zip_longest

from lamella.image import Image
from lamella.layer.protocols import LayerTar
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.edits import NO_EDITS, Edits
from lamella.merge.gc_pause import collector_paused
from lamella.merge.nodes import newest_origin
from lamella.merge.overlay import Folder, Link, Tree
from lamella.merge.patterns import NO_PATTERN, PathPatterns
from lamella.spec import changes
from lamella.spec.changes import shown_value
from lamella.tar.entry import REGULAR, SPARSE, SYMLINK, TYPE_NAMES, Header, Member, time_text
from lamella.tar.reader import iter_content, read_header

__all__ = [
    "HARD_LINK_OF",
    "Difference",
    "RootFs",
    "compare_configs",
    "compare_rootfs",
    "lay_rootfs",
    "read_rootfs",
]

_OVERLAY_XATTRS = (b"trusted.overlay.", b"user.overlay.")
HARD_LINK_OF = "hard link of"
"""What is told of a file that has other names than before."""
_AT_ONCE = 1 << 18
_CONFIG = "config"
"""How a field of the config is told; those of its ``config`` have their own names alone."""


@dataclass(frozen=True)
class Difference:
    """One thing in which two images differ."""

    path: bytes
    what: str
    ours: object
    theirs: object
    platform: str = ""
    """Where images of several were compared."""

    @property
    def values(self) -> tuple[str, str]:
        """Both values, as text."""
        return shown_value(self.ours), shown_value(self.theirs)

    @property
    def change(self) -> str:
        """What becomes of the value, as text."""
        return " → ".join(self.values)

    def __str__(self) -> str:
        """Say it in a line."""
        path = "/" + self.path.decode("utf-8", "backslashreplace")
        where = f"{self.platform}: " if self.platform else ""
        which = "first" if self.theirs == "missing" else "second"
        match self.what:
            case "exists":
                return f"{where}{path}: only in the {which} image"
            case "image":
                return f"{where}only in the {which} one"
            case "content":
                return f"{where}{path}: the content differs"
        if not self.what.startswith(_CONFIG):
            where += f"{path}: "
        return f"{where}{self.what}: {shown_value(self.ours)} != {shown_value(self.theirs)}"


@dataclass(frozen=True, eq=False)
class RootFs:
    """A flattened image."""

    names: Mapping[bytes, Folder | Member | Link]
    tars: Sequence[LayerTar]
    groups: Mapping[bytes, bytes]
    """The first name of the inode, for every name of one that has several."""
    tree: Tree
    """What `names` was read from, before edits."""
    edits: Edits = NO_EDITS
    """What becomes of the headers of `changed` layers."""
    changed: frozenset[int] = frozenset()

    def edited(
        self, edits: Edits, changed: AbstractSet[int], cuts: Iterable[tuple[bytes, int]] = ()
    ) -> RootFs:
        """Return what an image is to be after edits of the layers at some positions.

        Args:
            edits: what is left out and changed.
            changed: the positions.
            cuts: paths that are left out, too, with all that is in them, each with a position: what
                layers from there on put at a path stays.
        """
        names = dict(self.names)
        for path, top in cuts:
            _cut(names, path, top)
        if edits.leave_out is not None:
            names = _without(names, edits.leave_out)
        groups = _groups(names) if self.groups else {}
        return replace(self, names=names, groups=groups, edits=edits, changed=frozenset(changed))

    def first(self, path: bytes) -> bytes | None:
        """Return the first path of the file that has this one, too; None if it has no other."""
        group = self.groups.get(path)
        return None if group is None else b"/" + group

    def header(self, member: Member) -> Header:
        """Read a member's attributes."""
        header = read_header(self.tars[member.origin], member)
        return self.edits.edited(header) if member.origin in self.changed else header

    def said_again(self, header: Header, found: Header) -> Header:
        """Return what a header of a kept layer may be in a merged one, if that is what was found.

        A merged layer repeats what it needs of the layers below: directories, files that it links
        to. Its edits count for these, too.
        """
        edited = self.edits.edited(header)
        return edited if edited.mtime == found.mtime else header


def read_rootfs(tars: Sequence[LayerTar]) -> RootFs:
    """Lay an image's layers, base first, over each other.

    Raises:
        MalformedTar: a layer is damaged.
    """
    with collector_paused():
        return lay_rootfs(
            (read_changeset(tar, position) for position, tar in enumerate(tars)), tars
        )


def lay_rootfs(changesets: Iterable[Changeset], tars: Sequence[LayerTar]) -> RootFs:
    """Lay layers that are read already, base first, over each other.

    Args:
        changesets: what each of them says.
        tars: what they were read from, by their positions; perhaps others, too.

    Raises:
        MalformedTar: a layer is damaged.
    """
    tree = Tree()
    for changeset in changesets:
        tree.apply(changeset)
    names = dict(sorted(tree.walk()))
    return RootFs(names, tars, _groups(names) if tree.has_links else {}, tree)


def _cut(names: dict[bytes, Folder | Member | Link], path: bytes, top: int) -> None:
    node = names.get(path)
    if isinstance(node, Folder):
        for inner in [name for name in names if name.startswith(path + b"/")]:
            del names[inner]
    if node is not None and newest_origin(node) < top:
        del names[path]


def _without(
    names: Mapping[bytes, Folder | Member | Link], patterns: PathPatterns
) -> dict[bytes, Folder | Member | Link]:
    """Leave out what patterns mean, but directories of which something stays."""
    last = {b"": NO_PATTERN}
    used: set[int] = set()
    kept: set[bytes] = set()
    for path in names:  # sorted: a directory before what is in it
        above = path.rpartition(b"/")[0]
        last[path] = patterns.match(path, last[above], used)
        if not patterns.mean(last[path]):
            while path and path not in kept:
                kept.add(path)
                path = path.rpartition(b"/")[0]  # noqa: PLW2901 - upwards
    return {path: node for path, node in names.items() if path in kept or not path}


def _groups(names: Mapping[bytes, Folder | Member | Link]) -> dict[bytes, bytes]:
    paths: dict[int, list[bytes]] = {}
    for path, node in names.items():
        if not isinstance(node, Folder):
            paths.setdefault(id(_inode(node)), []).append(path)
    return {path: group[0] for group in paths.values() if len(group) > 1 for path in group}


def _inode(node: Member | Link) -> Member:
    return node.inode if isinstance(node, Link) else node


def compare_rootfs(ours: RootFs, theirs: RootFs) -> Iterator[Difference]:
    """Yield what differs, by path."""
    for path in sorted(ours.names.keys() | theirs.names.keys()):
        one, other = ours.names.get(path), theirs.names.get(path)
        if one is None or other is None:
            has = "missing", "there"
            yield Difference(path, "exists", has[one is not None], has[other is not None])
        elif isinstance(one, Folder) or isinstance(other, Folder):
            yield from _compare_folders(path, one, other, ours, theirs)
        else:
            yield from _compare_files(path, _inode(one), _inode(other), ours, theirs)
            if ours.groups.get(path) != theirs.groups.get(path):
                yield Difference(path, HARD_LINK_OF, ours.first(path), theirs.first(path))


def _compare_folders(
    path: bytes,
    one: Folder | Member | Link,
    other: Folder | Member | Link,
    ours: RootFs,
    theirs: RootFs,
) -> Iterator[Difference]:
    if not (isinstance(one, Folder) and isinstance(other, Folder)):
        yield Difference(path, "type", _type_of(one), _type_of(other))
        return
    implied = Header(name=b"", type=b"5", mode=0o755)
    a = ours.header(one.member) if one.member else implied
    b = theirs.header(other.member) if other.member else implied
    a = ours.said_again(a, b)
    # A directory without an entry has the time at which it is unpacked: it equals any.
    yield from _compare_attributes(path, a, b, time=bool(one.member and other.member))


def _compare_files(
    path: bytes, one: Member, other: Member, ours: RootFs, theirs: RootFs
) -> Iterator[Difference]:
    a_tar, b_tar = ours.tars[one.origin], theirs.tars[other.origin]
    if a_tar is b_tar and one.start == other.start:
        return  # the very same bytes
    if ours.edits.is_none and _are_equal_bytes(one, other, a_tar, b_tar):
        return
    b = theirs.header(other)
    a = ours.said_again(ours.header(one), b)
    if a.type != b.type:
        yield Difference(path, "type", TYPE_NAMES[a.type], TYPE_NAMES[b.type])
        return
    yield from _compare_attributes(path, a, b, time=True)
    if a.type == SYMLINK and a.link != b.link:
        yield Difference(path, "target", a.link, b.link)
    if (a.devmajor, a.devminor) != (b.devmajor, b.devminor):
        numbers = f"{a.devmajor}:{a.devminor}", f"{b.devmajor}:{b.devminor}"
        yield Difference(path, "device", *numbers)
    if a.type == REGULAR:
        if a.size != b.size:
            yield Difference(path, "size", a.size, b.size)
        elif not _same_content(one, other, ours, theirs):
            yield Difference(path, "content", "one", "another")


def _are_equal_bytes(one: Member, other: Member, a: LayerTar, b: LayerTar) -> bool:
    """Whether headers and content are the same bytes; if so, nothing of them need be understood."""
    if one.flags or other.flags or (one.head, one.size) != (other.head, other.size):
        return False
    return _are_equal_parts(a, one.start, b, other.start, one.head + one.size)


def _are_equal_parts(a: LayerTar, start: int, b: LayerTar, other: int, length: int) -> bool:
    for at in range(0, length, _AT_ONCE):
        step = min(_AT_ONCE, length - at)
        part = a.read_at(start + at, step)
        if len(part) < step or part != b.read_at(other + at, step):
            return False
    return True


def _compare_attributes(path: bytes, a: Header, b: Header, *, time: bool) -> Iterator[Difference]:
    if a.type != SYMLINK and a.mode & 0o7777 != b.mode & 0o7777:
        yield Difference(path, "mode", f"{a.mode & 0o7777:04o}", f"{b.mode & 0o7777:04o}")
    if (a.uid, a.gid) != (b.uid, b.gid):
        yield Difference(path, "owner", f"{a.uid}:{a.gid}", f"{b.uid}:{b.gid}")
    if time and a.mtime != b.mtime:
        yield Difference(path, "mtime", *_times(a.mtime, b.mtime))
    one, other = _xattrs(a), _xattrs(b)
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            yield Difference(path, f"xattr {shown_value(key)}", one.get(key), other.get(key))


def _times(one: int, other: int) -> tuple[str, str]:
    """Return two times, to the second if that shows how they differ."""
    unit = 10**9 if one // 10**9 != other // 10**9 else 1
    return time_text(one // unit * unit), time_text(other // unit * unit)


def _type_of(node: Folder | Member | Link) -> str:
    return "directory" if isinstance(node, Folder) else TYPE_NAMES[_inode(node).type]


def _xattrs(header: Header) -> dict[bytes, bytes]:
    """Without the marks of overlay storage, which are no file's own; an empty value is none."""
    return {
        key: value
        for key, value in header.xattrs.items()
        if value and not key.startswith(_OVERLAY_XATTRS)
    }


def _same_content(one: Member, other: Member, ours: RootFs, theirs: RootFs) -> bool:
    a, b = ours.tars[one.origin], theirs.tars[other.origin]
    if not (one.flags | other.flags) & SPARSE:
        return _are_equal_parts(a, one.data, b, other.data, one.size)
    chunks = zip_longest(_even(iter_content(a, one)), _even(iter_content(b, other)))
    return all(a == b for a, b in chunks)


def _even(chunks: Iterator[bytes], size: int = _AT_ONCE) -> Iterator[bytes]:
    """Cut chunks to one size, so that those of differently stored files can be compared."""
    held = b""
    for chunk in chunks:
        held = held + chunk if held else chunk
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
    if held:
        yield held


def compare_configs(ours: Image, theirs: Image) -> Iterator[Difference]:
    """Yield the fields of the configs that differ; see `spec.changes.compare_configs`."""
    for change in changes.compare_configs(ours.config.value, theirs.config.value):
        what = f"{_CONFIG} {change.field}".rstrip()
        yield Difference(b"", what, change.before, change.after)
