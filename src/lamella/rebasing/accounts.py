"""Users and groups: what lists of them say over two bases, and who an image runs as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lamella.merge.nodes import Folder
from lamella.rebasing.conflicts import Conflict
from lamella.rebasing.trees import Both, inode_of

__all__ = ["account_conflicts", "run_as_conflicts"]

_PASSWD, _GROUP = b"etc/passwd", b"etc/group"
_FEW = 3


class _List(NamedTuple):
    """One list over the bases."""

    path: bytes
    what: str
    """user or group."""
    layer: int | None
    """Number of the own layer that replaces it; None: none does."""
    was: Mapping[str, str]
    """IDs by name, in the old base."""
    now: Mapping[str, str]
    """In the new base."""
    own: Mapping[str, str]
    """In what replaces it; empty if nothing does."""


def account_conflicts(both: Both) -> Iterator[Conflict]:
    """Yield what replaced lists lack of the new base, and files whose owner is another user now."""
    for path, what in ((_PASSWD, "user"), (_GROUP, "group")):
        accounts = _read(both, path, what)
        if accounts.layer is not None:
            yield from _replaced(accounts)
        elif what == "user":
            yield from _renamed(both, accounts)


def _read(both: Both, path: bytes, what: str) -> _List:
    was, now, mine = both.old.base.find(path), both.new.base.find(path), both.old.find(path)
    file = None if mine is None or isinstance(mine, Folder) else inode_of(mine)
    own = file if file and both.is_own(file) else None
    layer = both.layer(own) if own else None
    if both.difference(was, now) == "":  # nothing to compare, so nothing is read
        return _List(path, what, layer, {}, {}, {})
    lists = (_ids(both.text(node)) for node in (was, now, own))
    return _List(path, what, layer, *lists)


def _ids(text: str) -> dict[str, str]:
    """Return IDs by name; the first line of a name counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdecimal():  # noqa: PLR2004 - name:password:ID
            found.setdefault(fields[0], fields[2].lstrip("0") or "0")
    return found


def _replaced(accounts: _List) -> Iterator[Conflict]:
    for name, number in accounts.now.items():
        mine, was = accounts.own.get(name), accounts.was.get(name)
        if mine is None and was is None:
            detail = f"{name} ({number})"
            yield Conflict(
                f"{accounts.what}-lost", accounts.path, layer=accounts.layer, detail=detail
            )
        elif mine is not None and number not in {mine, was}:
            detail = f"{name}: {number} in the new base, {mine} here"
            kind = f"{accounts.what}-other-id"
            yield Conflict(kind, accounts.path, layer=accounts.layer, detail=detail)


def _renamed(both: Both, accounts: _List) -> Iterator[Conflict]:
    """Yield own files whose owner has another name in the new base's list."""
    was, now = _names(accounts.was), _names(accounts.now)
    others = {number for number, name in was.items() if now.get(number) != name}
    if not others:
        return
    seen: dict[str, int] = {}
    for changes in both.own_changes:
        for member in changes.entries:
            owner = str(both.header(member).uid)
            if owner not in others:
                continue
            seen[owner] = seen.get(owner, 0) + 1
            if seen[owner] <= _FEW:
                detail = f"{owner}: {was[owner]} → {now.get(owner, 'no user')}"
                yield Conflict(
                    "owner-renamed", member.path, layer=both.layer(member), detail=detail
                )


def _names(ids: Mapping[str, str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name, number in ids.items():
        names.setdefault(number, name)
    return names


def run_as_conflicts(both: Both, user: str) -> Iterator[Conflict]:
    """Yield what becomes of the names in the config's ``User``: ``NAME[:GROUP]``."""
    name, _, group = user.partition(":")
    if name and not name.isdecimal():
        yield from _run_as(both, name, _PASSWD, "user")
    if group and not group.isdecimal():
        yield from _run_as(both, group, _GROUP, "group")


def _run_as(both: Both, name: str, path: bytes, what: str) -> Iterator[Conflict]:
    nodes = both.old.led_to(path), both.new.led_to(path)
    if both.difference(*nodes) == "" and nodes[0] is not None:
        return
    was, now = (_ids(both.text(node)).get(name) for node in nodes)
    if now is None:
        yield Conflict(f"{what}-unknown", field="User", detail=name)
    elif was is not None and was != now and what == "user":
        yield Conflict("user-renumbered", field="User", detail=f"{name}: {was} → {now}")
