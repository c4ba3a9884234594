"""The form of a merged layer that all engines read alike, checked rule by rule."""

from __future__ import annotations

from collections.abc import Sequence

from tests.properties.reading import Read, clean, read_tar
from tests.properties.reference import Listing, flatten

__all__ = ["complaints"]

_MARK = b".wh..wh..opq"


def complaints(tar: bytes, below: Sequence[bytes]) -> list[str]:
    """List what is wrong with a merged layer that lies over these layers."""
    members, end = read_tar(tar)
    return [
        *(["not two zero blocks at the end"] if end != bytes(1024) else []),
        *_names(members),
        *_parents(members),
        *_links(members),
        *_removals(members, flatten(below)),
    ]


def _names(members: Sequence[Read]) -> list[str]:
    """Plain names, each once; no headers or types that an engine refuses; no overlay marks."""
    found = []
    seen: set[bytes] = set()
    for member in members:
        name = member.name.removeprefix(b"./")
        plain = name.removesuffix(b"/") if member.type == b"5" else name
        if plain != member.path and member.path:  # the root goes by many names
            found.append(f"{member.name!r}: no plain name")
        if member.path in seen:
            found.append(f"{member.path!r}: twice")
        seen.add(member.path)
        if b"g" in member.headers:
            found.append(f"{member.path!r}: behind a global header")
        if member.type not in {b"0", b"1", b"2", b"3", b"4", b"5", b"6"}:
            found.append(f"{member.path!r}: type {member.type!r}")
        if any(key.startswith((b"trusted.overlay.", b"user.overlay.")) for key, _ in member.xattrs):
            found.append(f"{member.path!r}: marked for an overlay")
    return found


def _parents(members: Sequence[Read]) -> list[str]:
    """Each directory has an entry, before all that is in it."""
    found = []
    folders = {b""}
    for member in members:
        parent = member.path.rpartition(b"/")[0]
        if parent not in folders:
            found.append(f"{member.path!r}: its directory has no entry before it")
        if member.type == b"5":
            folders.add(member.path)
    return found


def _links(members: Sequence[Read]) -> list[str]:
    """A file before its links; links say what the file says."""
    found = []
    files: dict[bytes, Read] = {}
    for member in members:
        if member.type != b"1":
            files[member.path] = member
            continue
        target = files.get(clean(member.link))
        if target is None or target.type == b"5":
            found.append(f"{member.path!r}: linked to {member.link!r}, which is not before it")
        elif _attributes(target) != _attributes(member):
            found.append(f"{member.path!r}: says something else than {member.link!r}")
    return found


def _attributes(member: Read) -> tuple[object, ...]:
    return member.mode, member.uid, member.gid, member.mtime, member.xattrs


def _removals(members: Sequence[Read], base: Listing) -> list[str]:
    """Only what the base shows is removed, once, and where its directory is merged."""
    found = []
    types = {member.path: member.type for member in members}
    cut = set()  # directories that share nothing with the base's
    for number, member in enumerate(members):
        parent, _, name = member.path.rpartition(b"/")
        if parent in cut:
            cut.add(member.path)
        if name == _MARK:
            before = members[number - 1].path if number else None
            found += [f"{member.path!r}: {fault}" for fault in _opaque(parent, before, base)]
            if parent in cut:
                found.append(f"{member.path!r}: hides nothing")
            cut.add(parent)
        elif name.startswith(b".wh."):
            target = parent + b"/" + name[4:] if parent else name[4:]
            if parent in cut:
                found.append(f"{member.path!r}: in a directory that is new")
            if target not in base:
                found.append(f"{member.path!r}: the base has no such thing")
            if target in types:
                found.append(f"{member.path!r}: and an entry for it")
        elif member.type == b"5" and not _is_folder(member.path, base):
            cut.add(member.path)
    return found


def _opaque(folder: bytes, before: bytes | None, base: Listing) -> list[str]:
    faults = []
    if not folder:
        faults.append("at the root")
    if before != folder:
        faults.append("not right after its directory")
    if not any(path.startswith(folder + b"/") for path in base):
        faults.append("hides nothing")
    return faults


def _is_folder(path: bytes, listing: Listing) -> bool:
    return not path or (path in listing and listing[path].type == b"5")
