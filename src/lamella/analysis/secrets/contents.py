"""Tokens in the content of a layer's files, whatever they are called.

The files of a layer lie one behind the other, so many are looked at together: in one read, and one
search for what any token has. Few files have anything of that, and only these are looked at by
themselves.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain
from typing import Self

from lamella.analysis.secrets.anchors import Finder, make_finder
from lamella.analysis.secrets.tokens import TOKENS, FoundToken, find_tokens
from lamella.cores import usable_cores
from lamella.layer.protocols import LayerTar
from lamella.tar.entry import REGULAR, SPARSE, Member

__all__ = ["EXAMPLES", "LARGEST", "Found", "TokenSearch"]

LARGEST = 1 << 20
"""Files with more bytes are not looked at."""
_AT_ONCE = 1 << 20
_FAR = 64 << 10
"""Bytes between two files that are not worth reading."""
_SHORTEST = 16
"""No token is shorter."""
_MOST = 10_000
"""Places in a file that are looked at: what was made to keep us busy has more."""
_BEGINNING = 8000
"""Where binary files have a NUL: as Git tells them from text."""

_PACKAGES = (
    rb"(?i)(?:^|/)(?:usr|node_modules|site-packages|dist-packages|vendor|mod|python\d[\d.]*)/"
    rb"(?:.*/)?"
)
EXAMPLES = re.compile(
    _PACKAGES + rb"(?:tests?|testing|test[-_]?data|fixtures|examples?|docs?|demos?|dummy\w*|"
    rb"templates?|certdata|[^/]*\.(?:dist|egg)-info)(?:/|$)"
)
"""Directories in which packages have keys for their own tests and manuals: known to everybody."""
_EXAMPLE_FILES = re.compile(
    _PACKAGES + rb"(?:test_[^/]*|[^/]*[._-](?:test|spec)\.[a-z]+|[^/]*\.(?:md|rst|d\.ts))$"
)
"""The same, as files."""

Found = tuple[Member, FoundToken, bytes]
"""A file, the first token in it, and its text."""


class TokenSearch:
    """Looks through files for tokens, beside other work; all processors do.

    Small text files are looked at: of up to `LARGEST` bytes, without a NUL where they begin.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="lamella-secrets")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop what still runs."""
        self._pool.shutdown(cancel_futures=True)

    def start(self, entries: Iterable[Member], tar: LayerTar) -> Callable[[], Iterator[Found]]:
        """Begin with a layer; return what waits for the tokens that are found.

        Args:
            entries: of one layer, in its order.
            tar: the layer.
        """
        finder = _finder()
        runs = [self._pool.submit(_in_run, run, tar, finder) for run in _runs(entries)]
        return lambda: chain.from_iterable(run.result() for run in runs)


def _runs(entries: Iterable[Member]) -> Iterator[Sequence[Member]]:
    """Yield small files that lie together."""
    run: list[Member] = []
    start = end = 0
    for member in entries:
        _, _, kind, _, at, head, size, flags, _ = member  # at once, for there are many
        if kind != REGULAR or not _SHORTEST <= size <= LARGEST or flags & SPARSE:
            continue
        at += head
        if not -1 < at - end < _FAR or at - start > _AT_ONCE:
            if run:
                yield run
            run, start = [], at
        run.append(member)
        end = at + size
    if run:
        yield run


def _in_run(run: Sequence[Member], tar: LayerTar, finder: Finder) -> list[Found]:
    start = run[0].data
    block = tar.read_at(start, run[-1].data + run[-1].size - start)
    suspects: dict[int, list[tuple[int, int]]] = {}
    for kind, end in finder(block):
        index = bisect_right(run, end - 1 + start, key=_data) - 1
        hits = suspects.setdefault(index, [])
        if len(hits) < _MOST:
            hits.append((kind, end))
    files = []
    for index, hits in sorted(suspects.items()):
        member = run[index]
        at = member.data - start
        text = block[at : at + member.size]
        if _is_example(member) or b"\0" in text[:_BEGINNING]:
            continue
        found = find_tokens(text, ((kind, end - at) for kind, end in hits))
        first = min(found, key=_start, default=None)
        if first is not None:
            files.append((member, first, text))
    return files


def _is_example(member: Member) -> bool:
    return bool(EXAMPLES.search(member.folder) or _EXAMPLE_FILES.search(member.path))


def _data(member: Member) -> int:
    return member.start + member.head


def _start(token: FoundToken) -> int:
    return token.start


@cache
def _finder() -> Finder:
    return make_finder([kind.anchor for kind in TOKENS])
