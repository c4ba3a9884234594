"""Which paths a list of patterns means, by the rules of ``.dockerignore``.

https://docs.docker.com/build/concepts/context/#dockerignore-files: a pattern is a path from the
root, in which ``*`` is any text without a slash, ``?`` any one character but a slash, ``[a-z]`` one
of some and ``[^a-z]`` none of them; ``**`` is any number of directories, none included; a backslash
makes the next character an ordinary one. What matches a directory matches all that is in it. Of
all patterns that match a path the last one counts, and one after ``!`` brings the path back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lamella.errors import UsageError

__all__ = ["PathPatterns", "pattern_of"]

_TOKENS = re.compile(r"\*\*/?|\*|\?|\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|[^*?\[\\]+|.", re.DOTALL)
_SPECIAL = re.compile(r"[*?\[\\]")
_AT_AN_END = re.compile(r" (?=/|\Z)")
_UNSEEN = "[^ -~]"
"""Stands for a character that can't be typed or shown: it is none of printable ASCII."""


@dataclass(frozen=True)
class PathPatterns:
    """Patterns that were read; which of them match a path is a number with a bit for each."""

    texts: tuple[str, ...]
    """As they were given, in order."""
    _compiled: tuple[re.Pattern[str], ...]
    _exceptions: int
    """The bits of those that bring paths back."""

    @classmethod
    def parse(cls, lines: Iterable[str]) -> PathPatterns:
        """Read patterns; blank lines and those after ``#`` don't count.

        Raises:
            UsageError: one makes no sense.
        """
        texts = [text for line in lines if (text := line.strip()) and not text.startswith("#")]
        compiled = tuple(_compile(text) for text in texts)
        exceptions = sum(1 << number for number, text in enumerate(texts) if text[0] == "!")
        return cls(tuple(texts), compiled, exceptions)

    def match(self, path: bytes, above: int = 0) -> int:
        """Return which patterns match a path.

        Args:
            path: without a slash at either end.
            above: what this returned for its directory.
        """
        text = path.decode("utf-8", "surrogateescape")
        for number, pattern in enumerate(self._compiled):
            if not above >> number & 1 and pattern.fullmatch(text):
                above |= 1 << number
        return above

    def mean(self, matching: int) -> bool:
        """Whether a path is meant that is matched by these patterns."""
        return bool(matching) and not self._exceptions >> matching.bit_length() - 1 & 1

    def unused(self, matching: int) -> list[str]:
        """Return the patterns that are not among these."""
        return [text for number, text in enumerate(self.texts) if not matching >> number & 1]


def pattern_of(path: bytes) -> str:
    """Return the pattern that means one path, and what is in it: printable text in one line.

    The pattern of a path begins with those of the directories that it is in. A character that can't
    be printed, or a byte that is no UTF-8, is said as any one that is no printable ASCII.

    Args:
        path: without a slash at either end; not the root, which no pattern means.
    """
    text = _SPECIAL.sub(r"\\\g<0>", path.decode("utf-8", "surrogateescape"))
    text = _AT_AN_END.sub("[ ]", text)  # the end of a line is stripped
    text = "".join(letter if letter.isprintable() else _UNSEEN for letter in text)
    # Before a slash none of these says anything else than itself.
    return f"/{text}" if text.startswith(("!", "#", "-", " ")) else text


def _compile(text: str) -> re.Pattern[str]:
    """Return what matches the paths that a pattern says.

    Raises:
        UsageError: it says nothing, or a bracket or an escape has no end.
    """
    names = [name for name in text.removeprefix("!").strip().split("/") if name not in {"", "."}]
    if not names or ".." in names:
        raise UsageError(f"`exclude` {text!r}: expected a path from the root of the image")
    out = []
    for part in _TOKENS.findall("/".join(names)):
        if part in {"[", "\\"}:
            missing = "]" if part == "[" else "a character"
            raise UsageError(f"`exclude` {text!r}: expected {missing} after {part}")
        out.append(_as_regex(part))
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error as error:
        raise UsageError(f"`exclude` {text!r}: {error.msg}") from None


def _as_regex(part: str) -> str:
    match part:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if part[0] == "[":
        inner = part[1:-1].removeprefix("^")
        inner = re.sub(r"(?<!\\)([\[&|~])", r"\\\1", inner)
        return f"(?!/)[{'^' if part[1] == '^' else ''}{inner}]"
    return re.escape(part[1:] if part[0] == "\\" else part)
