"""Tokens in the content of a layer's files, whatever they are called.

The files of a layer lie one behind the other, so many are looked at together: in one read, and one
search for what any token has. Few files have anything of that, and only these are looked at by
themselves.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from lamella.analysis.secrets.anchors import Finder, make_finder
from lamella.analysis.secrets.tokens import TOKENS, Token, find_tokens
from lamella.layer.protocols import LayerTar
from lamella.tar.entry import REGULAR, SPARSE, Member

__all__ = ["EXAMPLES", "LARGEST", "tokens_in"]

LARGEST = 1 << 20
"""Files with more bytes are not looked at."""
_AT_ONCE = 4 << 20
_FAR = 64 << 10
"""Bytes between two files that are not worth reading."""
_SHORTEST = 16
"""No token is shorter."""
_MOST = 10_000
"""Places in a file that are looked at: what was made to keep us busy has more."""
_BEGINNING = 8000
"""Where binary files have a NUL: as Git tells them from text."""

EXAMPLES = re.compile(
    rb"(?i)(?:^|/)(?:usr|node_modules|site-packages|dist-packages|vendor|mod)/(?:.*/)?"
    rb"(?:tests?|testing|test[-_]?data|fixtures|examples?|docs?|demos?|dummy\w*|templates?|certdata)"
    rb"(?:/|$)"
)
"""Directories in which packages have keys for their own tests and manuals: known to everybody."""


def tokens_in(entries: Iterable[Member], tar: LayerTar) -> Iterator[tuple[Member, Token, bytes]]:
    """Yield the files of one layer that have a token in them, with the first one, and its text.

    Small text files are looked at: of up to `LARGEST` bytes, without a NUL where they begin.

    Args:
        entries: of one layer, in its order.
        tar: the layer.

    Raises:
        LamellaError: content can't be read.
    """
    finder = _finder()
    for run in _runs(entries):
        yield from _in_run(run, tar, finder)


def _runs(entries: Iterable[Member]) -> Iterator[Sequence[Member]]:
    """Yield small files that lie together."""
    run: list[Member] = []
    start = end = 0
    for member in entries:
        _, _, kind, _, at, head, size, flags, _ = member  # at once, for there are many
        if kind != REGULAR or not _SHORTEST <= size <= LARGEST or flags & SPARSE:
            continue
        at += head
        if not -1 < at - end < _FAR or at + size - start > _AT_ONCE:
            if run:
                yield run
            run, start = [], at
        run.append(member)
        end = at + size
    if run:
        yield run


def _in_run(
    run: Sequence[Member], tar: LayerTar, finder: Finder
) -> Iterator[tuple[Member, Token, bytes]]:
    start = run[0].data
    block = tar.read_at(start, run[-1].data + run[-1].size - start)
    suspects: dict[int, list[tuple[int, int]]] = {}
    for kind, end in finder(block):
        index = bisect_right(run, end - 1 + start, key=_data) - 1
        hits = suspects.setdefault(index, [])
        if len(hits) < _MOST:
            hits.append((kind, end))
    for index, hits in sorted(suspects.items()):
        member = run[index]
        at = member.data - start
        text = block[at : at + member.size]
        if EXAMPLES.search(member.folder) or b"\0" in text[:_BEGINNING]:
            continue
        found = find_tokens(text, ((kind, end - at) for kind, end in hits))
        first = min(found, key=_start, default=None)
        if first is not None:
            yield member, first, text


def _data(member: Member) -> int:
    return member.start + member.head


def _start(token: Token) -> int:
    return token.start


@cache
def _finder() -> Finder:
    return make_finder([kind.anchor for kind in TOKENS])


