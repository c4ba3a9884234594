"""Which paths a list of patterns means, by the rules of ``.dockerignore``.

https://docs.docker.com/build/concepts/context/#dockerignore-files: a pattern is a path from the
root, in which ``*`` is any text without a slash, ``?`` any one character but a slash, ``[a-z]`` one
of some and ``[^a-z]`` none of them; ``**`` is any number of directories, none included; a backslash
makes the next character an ordinary one. What matches a directory matches all that is in it. Of
all patterns that match a path the last one counts, and one after ``!`` brings the path back.

Where the page says nothing, what Docker does counts (github.com/moby/patternmatcher), but for one
thing: brackets never match a slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from lamella.errors import UsageError

__all__ = ["NO_PATTERN", "PathPatterns", "pattern_of"]

NO_PATTERN = -1
"""The number of the last pattern that matches a path which none matches."""

_PARTS = re.compile(r"\*\*/?|\*|\?|\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|[^*?\[\\]+|.", re.DOTALL)
_ANY = "**"
_DIRECTORIES = "(?:.*/)?"
_SPECIAL = frozenset("*?[]\\")
_TO_ESCAPE = re.compile(r"[*?\[\\]")
_AT_AN_END = re.compile(r" (?=/|\Z)")
_UNSEEN = "[^ -~]"
"""Stands for a character that can't be typed or shown: it is none of printable ASCII."""

_Numbered: TypeAlias = tuple[int, re.Pattern[str]]


@dataclass(frozen=True)
class PathPatterns:
    """Patterns that were read; their numbers are their places in the list."""

    texts: tuple[str, ...]
    """As they were given, in order."""
    _plain: Mapping[str, Sequence[int]]
    """By path: the patterns that are just this path."""
    _others: tuple[_Numbered, ...]
    _any_other: re.Pattern[str] | None
    """Matches what any of the others matches: most paths are asked this one question alone."""

    @classmethod
    def parse(cls, lines: Iterable[str]) -> PathPatterns:
        """Read patterns; blank ones don't count.

        Raises:
            UsageError: one makes no sense.
        """
        texts = tuple(text for line in lines if (text := line.strip()))
        plain: dict[str, list[int]] = {}
        others: list[_Numbered] = []
        regexes: dict[str, None] = {}
        for number, text in enumerate(texts):
            names = _names(text)
            parts = _PARTS.findall("/".join(names))
            _check(text, parts)
            if all(map(_is_plain, parts)):
                plain.setdefault("".join(map(_unescaped, parts)), []).append(number)
                continue
            regex = _regex(names, parts)
            regexes[regex] = None
            others.append((number, _compile(regex, text)))
        any_other = _compile("|".join(regexes), "") if regexes else None
        return cls(texts, plain, tuple(others), any_other)

    @property
    def bring_back(self) -> bool:
        """Whether one of them may bring back what is in a directory that another one means."""
        return any(text[0] == "!" for text in self.texts)

    def match(self, path: bytes, above: int, used: set[int]) -> int:
        """Return the last pattern that matches a path, or a directory that it is in.

        Args:
            path: without a slash at either end.
            above: what this returned for its directory.
            used: gets the numbers of all patterns that match anything.
        """
        text = path.decode("utf-8", "surrogateescape")
        for number in self._plain.get(text, ()):
            used.add(number)
            above = max(above, number)
        if self._any_other is not None and self._any_other.fullmatch(text):
            for number, pattern in self._others:
                if (number > above or number not in used) and pattern.fullmatch(text):
                    used.add(number)
                    above = max(above, number)
        return above

    def mean(self, last: int) -> bool:
        """Whether a path is meant of which this is the last pattern that matches it."""
        return last != NO_PATTERN and self.texts[last][0] != "!"

    def unused(self, used: AbstractSet[int]) -> list[str]:
        """Return the patterns that are not among these."""
        return [text for number, text in enumerate(self.texts) if number not in used]


def pattern_of(path: bytes) -> str:
    """Return the pattern that means one path, and what is in it: printable text in one line.

    The pattern of a path begins with those of the directories that it is in. A character that can't
    be printed, or a byte that is no UTF-8, is said as any one that is no printable ASCII.

    Args:
        path: without a slash at either end; not the root, which no pattern means.
    """
    text = _TO_ESCAPE.sub(r"\\\g<0>", path.decode("utf-8", "surrogateescape"))
    text = _AT_AN_END.sub("[ ]", text)  # the end of a line is stripped
    text = "".join(letter if letter.isprintable() else _UNSEEN for letter in text)
    # Before a slash none of these says anything else than itself.
    return f"/{text}" if text.startswith(("!", "#", "-", " ")) else text


def _names(text: str) -> list[str]:
    """Return the names of a pattern's path.

    Raises:
        UsageError: it is no path below the root.
    """
    names = [name for name in text.removeprefix("!").strip().split("/") if name not in {"", "."}]
    if not names or ".." in names:
        raise UsageError(f"`exclude` {text!r}: expected a path from the root of the image")
    return names


def _check(text: str, parts: Iterable[str]) -> None:
    for part in parts:
        if part in {"[", "\\"}:
            missing = "]" if part == "[" else "a character"
            raise UsageError(f"`exclude` {text!r}: expected {missing} after {part}")
        if part[0] == "[" and "[:" in part:
            raise UsageError(f"`exclude` {text!r}: expected characters in brackets, got a class")


def _compile(regex: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(regex, re.DOTALL)
    except re.error as error:
        raise UsageError(f"`exclude` {text!r}: {error.msg}") from None


def _is_plain(part: str) -> bool:
    return part[0] not in "*?["


def _unescaped(part: str) -> str:
    return part[1:] if part[0] == "\\" else part


def _regex(names: Sequence[str], parts: Sequence[str]) -> str:
    """Return what matches the paths that a pattern says.

    Each gap but the last one ends where what is behind it is found first, and is not tried again:
    the next gap takes what is left. So no path takes longer than its length times the pattern's.
    """
    if _is_odd(names, parts):
        return _regex_of_odd(parts)
    groups = [""]
    for name in names:
        if name == _ANY:
            groups.append("")
        else:
            groups[-1] += _regex_of_name(name) + "/"
    first, *middle = groups
    if not middle:
        return first[:-1]
    last = middle.pop()
    out = first + "".join(f"(?>(?:.*?/)??{group})" for group in middle if group)
    return out + (_DIRECTORIES + last[:-1] if last else ".*")


def _regex_of_name(name: str) -> str:
    between = [""]
    for part in _PARTS.findall(name):
        if part == "*":
            between.append("")
        else:
            between[-1] += _as_regex(part)
    first, *middle = between
    if not middle:
        return first
    last = middle.pop()
    return first + "".join(f"(?>[^/]*?{regex})" for regex in middle) + "[^/]*" + last


def _is_odd(names: Iterable[str], parts: Iterable[str]) -> bool:
    """Whether ``**`` is a part of a name, or a slash is in brackets."""
    in_name = any(_ANY in name and name != _ANY for name in names)
    return in_name or any(part[0] == "[" and "/" in part for part in parts)


def _regex_of_odd(parts: Sequence[str]) -> str:
    """Return what Docker makes of it, character by character."""
    rest = "".join(parts[1:])
    if parts[0] == _ANY and _SPECIAL.isdisjoint(rest):
        return ".*" + re.escape(rest)
    out = "".join(map(_as_regex, parts))
    return out.removesuffix(_DIRECTORIES) + ".*" if parts[-1] == _ANY else out


def _as_regex(part: str) -> str:
    match part:
        case "**/" | "**":
            return _DIRECTORIES
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    return _brackets(part) if part[0] == "[" else re.escape(_unescaped(part))


def _brackets(part: str) -> str:
    inner = part[1:-1]
    negated = inner.startswith("^")
    items = re.findall(r"\\.|.", inner.removeprefix("^"), re.DOTALL)
    out = ""
    while items:
        first = items.pop(0)
        out += re.escape(_unescaped(first))
        if len(items) > 1 and items[0] == "-":
            out += "-" + re.escape(_unescaped(items[1]))
            del items[:2]
    return f"(?!/)[{'^' if negated else ''}{out}]"
