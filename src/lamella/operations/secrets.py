"""Likely secrets in what a squash writes, and in the layers that it keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from lamella.layer.protocols import LayerTar
from lamella.merge.overlay import Folder, Link, Tree
from lamella.tar.entry import Member

__all__ = ["FoundSecret", "secrets_among", "secrets_shown"]


@dataclass(frozen=True)
class FoundSecret:
    """A path that is likely a secret."""

    path: bytes
    """Of a repository, its folder."""
    kind: str
    """What it looks like, for people: ``private key``, ``cloud credentials``, …"""
    layer: int
    """The number of the layer that its bytes are in, from 1."""


def secrets_among(entries: Iterable[Member], tar: LayerTar) -> list[FoundSecret]:
    """Return the secrets among entries of one layer, seen in the image or not.

    Raises:
        LamellaError: content can't be read.
    """
    return [_secret(member, member.path, kind) for member, kind in _found(entries, tar)]


def secrets_shown(difference: Tree, tars: Mapping[int, LayerTar]) -> list[FoundSecret]:
    """Return the secrets that a difference shows, under each of their names.

    A new name of a file of the layers below counts: a merged layer repeats that file.

    Raises:
        LamellaError: content can't be read.
    """
    names = defaultdict[int, list[bytes]](list)
    inodes: dict[int, dict[int, Member]] = {}
    for path, node in difference.walk():
        if isinstance(node, Folder):
            continue
        inode = node.inode if isinstance(node, Link) else node
        names[id(inode)].append(path)
        inodes.setdefault(inode.origin, {})[id(inode)] = inode
    return [
        _secret(member, path, kind)
        for position, members in sorted(inodes.items())
        for member, kind in _found(
            sorted(members.values(), key=attrgetter("start")), tars[position]
        )
        for path in names[id(member)]
    ]


def _found(entries: Iterable[Member], tar: LayerTar) -> Iterator[tuple[Member, str]]:
    from lamella.analysis.secrets import secrets_in  # noqa: PLC0415 - few squashes look for any

    return secrets_in(entries, tar)


def _secret(member: Member, path: bytes, kind: str) -> FoundSecret:
    from lamella.analysis.secrets import REPOSITORY  # noqa: PLC0415 - as above

    shown = path.rpartition(b"/")[0] if kind == REPOSITORY else path
    return FoundSecret(shown, kind, member.origin + 1)
