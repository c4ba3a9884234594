"""What the layers of an image hide, delete and inherit differently over another base."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from lamella.merge.nodes import Folder, Link, Node, child_of
from lamella.rebasing.conflicts import Conflict
from lamella.rebasing.trees import Both, inode_of, type_of
from lamella.tar.entry import SYMLINK, Member, join, path_text

__all__ = ["file_conflicts"]

_SHOWN = 3
_MANY = _SHOWN + 1
_SPECIAL = {
    "packages-hidden": {
        *(b"var/lib/dpkg/status", b"lib/apk/db/installed", b"usr/lib/apk/db/installed"),
        *(b"var/lib/rpm/Packages", b"var/lib/rpm/Packages.db", b"var/lib/rpm/rpmdb.sqlite"),
        *(b"usr/lib/sysimage/rpm/Packages.db", b"usr/lib/sysimage/rpm/rpmdb.sqlite"),
    },
    "certificates-hidden": {
        *(b"etc/ssl/certs/ca-certificates.crt", b"etc/ssl/cert.pem", b"etc/pki/tls/cert.pem"),
        *(b"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", b"etc/ssl/ca-bundle.pem"),
    },
    "libraries-hidden": {b"etc/ld.so.cache", b"etc/ld-musl-x86_64.path"},
    "release-hidden": {
        *(b"etc/os-release", b"usr/lib/os-release", b"etc/debian_version", b"etc/alpine-release"),
        *(b"etc/redhat-release", b"etc/lsb-release"),
    },
}
"""Files of which more is known than that they are replaced."""
_KINDS = {path: kind for kind, paths in _SPECIAL.items() for path in paths}
_ACCOUNTS = frozenset({b"etc/passwd", b"etc/group"})
"""What is in them is compared line by line; see `accounts`."""


def file_conflicts(both: Both) -> list[Conflict]:
    """Return what is told of paths, by path."""
    found = [*_Sides(both).conflicts(), *_links(both)]
    return sorted(found, key=lambda one: (one.path or b"", one.kind))


class _Spot(NamedTuple):
    """A directory in the difference that the own layers make."""

    path: bytes
    mine: Folder
    """Over the old base."""
    there: Folder
    """Over the new base."""
    was: Node
    """What the old base has there."""
    now: Node
    """What the new base has there."""


class _Sides:
    """Goes through the difference that the own layers make, over both bases side by side."""

    def __init__(self, both: Both) -> None:
        self._both = both

    def conflicts(self) -> Iterator[Conflict]:
        """Yield what is told of entries and deletions."""
        old, new = self._both.old, self._both.new
        todo = [(b"", old.root, new.root)]
        while todo:
            path, one, other = todo.pop()
            for name in one.kids.keys() | other.kids.keys():
                where = join(path, name)
                mine, there = one.kids.get(name), other.kids.get(name)
                was, now = child_of(one.lower, name), child_of(other.lower, name)
                if isinstance(mine, Folder) or isinstance(there, Folder):
                    # Where there is nothing to delete, a tree has no directory for a deletion.
                    ours = mine if isinstance(mine, Folder) else _unchanged(was)
                    theirs = there if isinstance(there, Folder) else _unchanged(now)
                    yield from self._directory(_Spot(where, ours, theirs, was, now))
                    todo.append((where, ours, theirs))
                elif mine is None:
                    yield from self._deleted(where, was, now)
                else:
                    yield from self._file(where, mine, was, now)

    # -- files

    def _file(self, path: bytes, node: Member | Link, was: Node, now: Node) -> Iterator[Conflict]:
        entry = node.member if isinstance(node, Link) else node
        kind, detail = self._file_kind(path, node, was, now)
        if kind:
            yield self._said(kind, path, entry, detail)

    def _file_kind(self, path: bytes, node: Member | Link, was: Node, now: Node) -> tuple[str, str]:
        both = self._both
        if now is None:
            return ("file-removed" if was is not None else ""), ""
        if both.difference(node, now) == "" and was is not now:
            return ("file-redundant" if was is None or both.difference(was, now) else ""), ""
        if isinstance(now, Folder):
            if not isinstance(was, Folder):
                return "file-over-directory", f"{type_of(was)} → directory"
            return self._replaces("file", was, now)
        if was is None:
            return "file-added", ""
        return self._hidden(path, was, now)

    def _hidden(self, path: bytes, was: Node, now: Node) -> tuple[str, str]:
        """Tell what a file hides: what its base changed in a file."""
        both = self._both
        match both.difference(was, now):
            case "type":
                return "file-retyped", f"{type_of(was)} → {type_of(now)}"
            case "content":
                usual = "" if path in _ACCOUNTS else "file-changed"
                return _KINDS.get(path, usual), ""
            case "attributes":
                return "file-attributes", f"{both.shown(was)} → {both.shown(now)}"
            case "time":
                return "file-touched", ""
        return "", ""

    # -- directories

    def _directory(self, at: _Spot) -> Iterator[Conflict]:
        by = at.mine.own_member or _some_entry(at.mine)
        yield from self._opaque(at, by)
        if by is None:
            return  # nothing but deletions: these tell it
        if isinstance(at.now, Folder):
            yield from self._over_directory(at, at.now, by)
        elif kind := self._replaced_kind(at):
            detail = f"{type_of(at.was)} → {type_of(at.now)}"
            yield self._said(kind, at.path, by, detail)

    def _replaced_kind(self, at: _Spot) -> str:
        """Tell what a directory is where the new base has none."""
        has_entry = at.mine.own_member is not None
        if at.now is None:
            if at.was is None:
                return ""
            return "directory-removed" if has_entry else "parent-missing"
        if not self._both.difference(at.was, at.now):
            return ""
        what = "symlink" if type_of(at.now) == "symlink" else "file"
        return f"directory-over-{what}" if has_entry else f"parent-is-{what}"

    def _opaque(self, at: _Spot, by: Member | None) -> Iterator[Conflict]:
        kind = detail = ""
        if isinstance(at.now, Folder):
            if at.there.lower is None and at.there.hidden is not None:
                kind, detail = self._hides("opaque", at.was, at.now)
        elif at.mine.lower is None and at.mine.hidden is not None:
            kind = "opaque-nothing"
        if kind:
            layer = self._both.layer(by) if by else self._deleting(at.path)
            yield Conflict(kind, at.path, layer=layer, detail=detail)

    def _over_directory(self, at: _Spot, now: Folder, by: Member) -> Iterator[Conflict]:
        both, was, path = self._both, at.was, at.path
        sets = at.mine.own_member is not None
        if not isinstance(was, Folder):
            if at.there.lower is not None and now.kids:
                yield self._said("directory-merged", path, by, _some([*islice(now.kids, _MANY)]))
            elif sets and both.difference(at.mine, now):
                yield self._said("directory-attributes", path, by, f"nothing → {both.shown(now)}")
            return
        if both.difference(was, now) and not (sets and both.difference(at.mine, now) == ""):
            kind = "directory-attributes" if sets else "directory-inherits"
            yield self._said(kind, path, by, f"{both.shown(was)} → {both.shown(now)}")

    def _hides(self, what: str, was: Node, now: Node) -> tuple[str, str]:
        """Tell what a directory that is hidden has in the new base."""
        if added := [*islice(self._both.added(was, now), _MANY)]:
            return f"{what}-hides-new", _some(added)
        if changed := [*islice(self._both.changed(was, now), _MANY)]:
            return f"{what}-hides-changed", _some(changed)
        return "", ""

    def _replaces(self, what: str, was: Node, now: Node) -> tuple[str, str]:
        """Tell the same where the directory itself is gone, too."""
        both = self._both
        kind, detail = self._hides(what, was, now)
        if not kind and both.difference(was, now) not in {"", "time"}:
            return f"{what}-hides-changed", f"{both.shown(was)} → {both.shown(now)}"
        return kind, detail

    # -- deletions

    def _deleted(self, path: bytes, was: Node, now: Node) -> Iterator[Conflict]:
        kind, detail = self._deleted_kind(path, was, now)
        if kind:
            layer = self._deleting(path)
            yield Conflict(kind, path, layer=layer, detail=detail)

    def _deleted_kind(self, path: bytes, was: Node, now: Node) -> tuple[str, str]:
        both = self._both
        if was is None:
            return ("whiteout-hits-new", type_of(now)) if now is not None else ("", "")
        if now is None:
            parent = both.new.base.find(path.rpartition(b"/")[0])
            if isinstance(parent, Folder):
                return "whiteout-nothing", ""
            above = type_of(_topmost(both, path))
            what = {"nothing": "missing", "symlink": "symlink"}.get(above, "file")
            return f"whiteout-parent-{what}", ""
        if type_of(was) != type_of(now):
            return "whiteout-retyped", f"{type_of(was)} → {type_of(now)}"
        if isinstance(now, Folder):
            return self._replaces("whiteout", was, now)
        changed = both.difference(was, now) not in {"", "time"}
        return ("whiteout-changed" if changed else ""), ""

    def _deleting(self, path: bytes) -> int | None:
        """Return the number of the newest own layer that deletes a path."""
        for number in reversed(range(len(self._both.own_changes))):
            changes = self._both.own_changes[number]
            marks = (*changes.whiteouts, *changes.opaques)
            if any(path == one or path.startswith(one + b"/") for one in marks):
                return self._both.numbered(number)
        return None

    def _said(self, kind: str, path: bytes, by: Member, detail: str = "") -> Conflict:
        return Conflict(kind, path, layer=self._both.layer(by), detail=detail)


def _unchanged(node: Node) -> Folder:
    """Return a directory of which the own layers say nothing."""
    return Folder(node if isinstance(node, Folder) else None)


def _topmost(both: Both, path: bytes) -> Node:
    """Return what is in the way to a path in the new base: the first that is no directory."""
    node: Node = both.new.base.root
    for name in path.split(b"/")[:-1]:
        node = child_of(node, name)
        if not isinstance(node, Folder):
            break
    return node


def _some_entry(folder: Folder) -> Member | None:
    """Return an entry in a directory, however deep; None: there are only deletions."""
    todo: list[Node] = [folder]
    while todo:
        node = todo.pop()
        if isinstance(node, Folder):
            if node.own_member is not None:
                return node.own_member
            todo += node.kids.values()
        elif node is not None:
            return node.member if isinstance(node, Link) else node
    return None


def _some(paths: list[bytes]) -> str:
    shown = ", ".join(path_text(path) for path in sorted(paths)[:_SHOWN])
    return f"{shown}, …" if len(paths) > _SHOWN else shown


# -- links


def _links(both: Both) -> Iterator[Conflict]:
    for member, node in both.new.broken.values():
        kind = "link-directory" if isinstance(node, Folder) else "link-missing"
        yield _link_said(both, kind, member)
    for key, (member, was) in both.old.into_base.items():
        if key in both.new.into_base:
            changed = both.difference(was, both.new.into_base[key][1]) not in {"", "time"}
            yield _link_said(both, "link-changed" if changed else "link-into-base", member)
    for path, node in both.old.walk():
        if not isinstance(node, Folder) and inode_of(node).type == SYMLINK:
            yield from _symlink(both, path, inode_of(node))


def _link_said(both: Both, kind: str, member: Member) -> Conflict:
    return Conflict(kind, member.path, layer=both.layer(member), detail=path_text(member.link))


def _symlink(both: Both, path: bytes, member: Member) -> Iterator[Conflict]:
    target = member.link if member.link[:1] == b"/" else join(path.rpartition(b"/")[0], member.link)
    was, now = both.old.led_to(target), both.new.led_to(target)
    one, other = type_of(was), type_of(now)
    detail = path_text(member.link)
    if one == other:
        before, after = both.old.resolved(target), both.new.resolved(target)
        if before == after or was is None:
            return
        kind, detail = (
            "symlink-elsewhere",
            f"/{path_text(before or b'')} → /{path_text(after or b'')}",
        )
    elif now is None:
        kind = "symlink-dangles"
    else:
        kind = "symlink-resolves" if was is None else "symlink-retyped"
    yield Conflict(kind, path, layer=both.layer(member), detail=detail)
