"""Secrets in the files of layers: by name, and by content.

A secret that a later layer deletes still ships, so dead files count as well as live ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Self

from lamella.analysis.model import Secret
from lamella.analysis.secrets.contents import Found, TokenSearch
from lamella.analysis.secrets.names import REPOSITORY, named_secrets
from lamella.analysis.secrets.shown import shorten
from lamella.layer.protocols import LayerTar
from lamella.merge.changeset import Changeset
from lamella.tar.entry import Member

__all__ = ["REPOSITORY", "FileSecret", "SecretSearch", "secrets_in"]


class FileSecret(NamedTuple):
    """A file that looks like a secret, or has one in it."""

    member: Member
    what: str
    """What it looks like, for people."""
    shown: str = ""
    """The beginning of what was found in it; empty if its name told."""


class SecretSearch:
    """Looks through the layers of an image for secrets, beside other work."""

    def __init__(self, changesets: Mapping[int, Changeset], tars: Mapping[int, LayerTar]) -> None:
        """Begin.

        Args:
            changesets: all layers, by position.
            tars: the same; small files are read.
        """
        self._changesets, self._tars = changesets, tars
        self._search = TokenSearch()
        self._tokens = {
            position: self._search.start(changeset.entries, tars[position])
            for position, changeset in changesets.items()
        }

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop what still runs."""
        self._search.__exit__(*error)

    def found(self, fates: Mapping[int, int | None]) -> Iterator[Secret]:
        """Yield the files that look like secrets, layer by layer.

        Args:
            fates: by the id of a member: the layer that took it away.

        Raises:
            LamellaError: content can't be read.
        """
        for position, changeset in self._changesets.items():
            every, tar = changeset.entries, self._tars[position]
            for member, what, shown in _joined(every, tar, self._tokens[position]()):
                path = member.folder if what == REPOSITORY else member.path
                killed = fates.get(id(member))
                removed_by = None if killed is None else killed + 1
                yield Secret(path, what, position + 1, removed_by, shown=shown)


def secrets_in(entries: Iterable[Member], tar: LayerTar) -> Iterator[FileSecret]:
    """Yield which of a layer's files look like secrets, each once, and what they look like.

    Of a repository that is `REPOSITORY`, and the file is one that lies in its folder.

    Args:
        entries: of one layer, in its order.
        tar: the layer; small files are read.

    Raises:
        LamellaError: content can't be read.
    """
    every = list(entries)
    with TokenSearch() as search:
        yield from _joined(every, tar, search.start(every, tar)())


def _joined(every: Sequence[Member], tar: LayerTar, tokens: Iterable[Found]) -> list[FileSecret]:
    found = {
        id(member): FileSecret(member, token.kind.what, shorten(text[token.start : token.end]))
        for member, token, text in tokens
    }
    # What the name says is said with more sense.
    found |= {id(member): FileSecret(member, what) for member, what in named_secrets(every, tar)}
    return [found[id(member)] for member in every if id(member) in found] if found else []
