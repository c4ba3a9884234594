"""What a project knows to be no secret: one list for an analysis, a squash and a build's rules.

A line is a pattern of paths, as in ``.dockerignore``, or says where a value is: ``env:NAME``,
``label:NAME``, ``arg:NAME``, ``annotation:NAME``, ``config:FIELD``, ``history:N``; or what it looks
like, ``kind:WHAT``. A name may have ``*`` for any text. Lines that begin with ``#`` are comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from lamella.errors import UsageError
from lamella.merge.patterns import NO_PATTERN, PathPatterns

if TYPE_CHECKING:  # every squash takes such a list; few find anything
    from lamella.analysis.model import Secret

__all__ = ["NOTHING_ALLOWED", "Allowed"]

_OPTION = "`allow`"
_WHERE = {
    "env": "env",
    "label": "label",
    "arg": "build arg",
    "annotation": "annotation",
    "config": "config",
    "history": "history",
}
_KIND = "kind"


class Allowed:
    """What is no secret; it remembers which lines were of any use."""

    def __init__(self, texts: Sequence[str], patterns: PathPatterns) -> None:
        """Take what `parse` read."""
        self.texts = tuple(texts)
        self._patterns = patterns
        self._values = [
            (text, *map(str.strip, text.split(":", 1))) for text in texts if _is_value(text)
        ]
        self._used: set[int] = set()
        self._used_values: set[str] = set()

    @classmethod
    def parse(cls, lines: str | Iterable[str]) -> Allowed:
        """Read lines; blank ones and comments don't count.

        Raises:
            UsageError: one makes no sense.
        """
        every = lines.splitlines() if isinstance(lines, str) else lines
        texts = [text for line in every if (text := line.strip()) and text[0] != "#"]
        for text in texts:
            if _is_value(text) and not text.split(":", 1)[1].strip():
                raise UsageError(f"{_OPTION} {text!r}: expected a name after the colon")
        paths = [text for text in texts if not _is_value(text)]
        return cls(texts, PathPatterns.parse(paths, _OPTION))

    def allows(self, secret: Secret) -> bool:
        """Whether this is no secret."""
        if secret.where == "file":
            return self.allows_file(secret.path, secret.kind)
        return self._allows_value(secret.where, secret.name, secret.kind)

    def allows_file(self, path: bytes, kind: str) -> bool:
        """Whether a file that looks like a secret is none.

        Args:
            path: of the file; of a repository, its folder.
            kind: what it looks like.
        """
        names, last = path.split(b"/"), NO_PATTERN
        if self._patterns.texts:
            for count, name in enumerate(names):
                there = self._patterns.inside(b"/".join(names[:count]))
                last = there.match(name, last, self._used)
        return self._patterns.mean(last) or self._allows_value("file", "", kind)

    def _allows_value(self, where: str, name: str, kind: str) -> bool:
        for text, place, wanted in self._values:
            given = kind if place == _KIND else name if _WHERE[place] == where else None
            if given is not None and fnmatchcase(given, wanted):
                self._used_values.add(text)
                return True
        return False

    def unused(self, *, files: bool = True, values: bool = True) -> list[str]:
        """Return the lines that have allowed nothing so far.

        Args:
            files: secrets were looked for in files.
            values: they were looked for in what an image says of itself.
        """
        unused = set(self._patterns.unused(self._used)) if files else set()
        for text, place, _ in self._values:
            looked = values or (files and place == _KIND)
            if looked and text not in self._used_values:
                unused.add(text)
        return [text for text in self.texts if text in unused]


NOTHING_ALLOWED = Allowed.parse(())


def _is_value(text: str) -> bool:
    place, colon, _ = text.partition(":")
    return bool(colon) and (place in _WHERE or place == _KIND)
