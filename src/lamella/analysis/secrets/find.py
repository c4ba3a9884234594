"""Secrets in the files of layers: by name, and by content.

A secret that a later layer deletes still ships, so dead files count as well as live ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lamella.analysis.model import Secret
from lamella.analysis.secrets.contents import tokens_in
from lamella.analysis.secrets.names import REPOSITORY, named_secrets
from lamella.analysis.secrets.shown import shorten
from lamella.layer.protocols import LayerTar
from lamella.merge.changeset import Changeset
from lamella.tar.entry import Member

__all__ = ["REPOSITORY", "FileSecret", "find_secrets", "secrets_in"]


class FileSecret(NamedTuple):
    """A file that looks like a secret, or has one in it."""

    member: Member
    what: str
    """What it looks like, for people."""
    shown: str = ""
    """The beginning of what was found in it; empty if its name told."""


def find_secrets(
    changesets: Mapping[int, Changeset],
    tars: Mapping[int, LayerTar],
    fates: Mapping[int, int | None],
) -> tuple[Secret, ...]:
    """Return the files that look like secrets, layer by layer.

    Args:
        changesets: all layers, by position.
        tars: the same; small files are read.
        fates: by the id of a member: the layer that took it away.

    Raises:
        LamellaError: content can't be read.
    """
    secrets = []
    for position, changeset in changesets.items():
        for member, what, shown in secrets_in(changeset.entries, tars[position]):
            path = member.folder if what == REPOSITORY else member.path
            killed = fates.get(id(member))
            removed_by = None if killed is None else killed + 1
            secrets.append(Secret(path, what, position + 1, removed_by, shown=shown))
    return tuple(secrets)


def secrets_in(entries: Iterable[Member], tar: LayerTar) -> Iterator[FileSecret]:
    """Yield which of a layer's files look like secrets, each once, and what they look like.

    Of a repository that is `REPOSITORY`, and the file is one that lies in its folder.

    Args:
        entries: of one layer, in its order.
        tar: the layer; small files are read.

    Raises:
        LamellaError: content can't be read.
    """
    every: Sequence[Member] = entries if isinstance(entries, list | tuple) else list(entries)
    found = {
        id(member): FileSecret(member, token.kind.what, shorten(text[token.start : token.end]))
        for member, token, text in tokens_in(every, tar)
    }
    # What the name says is said with more sense.
    found |= {id(member): FileSecret(member, what) for member, what in named_secrets(every, tar)}
    if found:
        yield from (found[id(member)] for member in every if id(member) in found)
