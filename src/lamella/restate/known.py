"""Values that are known to be secrets, found in texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

__all__ = ["KnownSecrets"]


class KnownSecrets:
    """Finds any of many values in one pass over a text: an image may have thousands."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the values; they are also found as they are written in JSON that is in a text."""
        self._forms = {form for secret in secrets for form in _forms(secret)}
        self._head = min(map(len, self._forms), default=0)
        self._lengths: dict[str, list[int]] = {}
        """Of the values that begin alike, the longest first."""
        for form in sorted(self._forms, key=len, reverse=True):
            lengths = self._lengths.setdefault(form[: self._head], [])
            if len(form) not in lengths[-1:]:
                lengths.append(len(form))

    def hide(self, text: str, hidden: str) -> str:
        """Return a text with something else in place of them, also of those that overlap."""
        pieces: list[str] = []
        end = 0
        for at, length in self._found(text):
            if at >= end:
                pieces += [text[end:at], hidden]
            end = max(end, at + length)
        return "".join(pieces) + text[end:]

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where a value begins, and how long the longest one is that begins there."""
        if not self._forms:
            return
        for at in range(len(text) - self._head + 1):
            for length in self._lengths.get(text[at : at + self._head], ()):
                if text[at : at + length] in self._forms:
                    yield at, length
                    break


def _forms(secret: str) -> Iterator[str]:
    yield secret
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
