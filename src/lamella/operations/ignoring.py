"""Which differences of two images do not count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lamella.errors import UsageError
from lamella.rootfs import Difference

__all__ = ["NOTHING_IGNORED", "Ignoring"]

_CONFIG = "config"
_KINDS = ("mode", "owner", "mtime", "xattr", _CONFIG)


@dataclass(frozen=True)
class Ignoring:
    """Words that say which differences do not count: those with which differences are told."""

    words: tuple[str, ...] = ()
    """``mode``, ``owner``, ``mtime``, ``xattr``, ``config``, or ``config.FIELD``."""

    @classmethod
    def parse(cls, words: str | Sequence[str]) -> Ignoring:
        """Read words.

        Raises:
            UsageError: one is none of them.
        """
        given = (words,) if isinstance(words, str) else tuple(words)
        for word in given:
            kind, dot, field = word.partition(".")
            if word not in _KINDS and not (kind == _CONFIG and dot and field):
                expected = ", ".join(_KINDS)
                raise UsageError(f"`ignore` {word!r:.60}: expected {expected} or config.FIELD")
        return cls(tuple(dict.fromkeys(given)))

    def split(self, differences: Iterable[Difference]) -> tuple[list[Difference], dict[str, int]]:
        """Return the differences that count, and by word how many do not.

        A difference that several words mean is counted with the first.
        """
        counting: list[Difference] = []
        ignored = dict.fromkeys(self.words, 0)
        for difference in differences:
            word = next((word for word in self.words if _means(word, difference)), None)
            if word is None:
                counting.append(difference)
            else:
                ignored[word] += 1
        return counting, ignored


def _means(word: str, difference: Difference) -> bool:
    kind, _, name = difference.what.partition(" ")
    if word == kind:
        return True
    of, _, field = word.partition(".")
    return of == kind == _CONFIG and (name == field or name.startswith(f"{field}."))


NOTHING_IGNORED = Ignoring()
