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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from lamella.errors import UsageError

__all__ = ["NO_PATTERN", "InFolder", "PathPatterns", "pattern_of"]

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

_NAME = "\0"
"""Stands for the name in a path: it is in none."""
_FEW = 4096
"""Directories and names that are remembered at the same time."""


class _Pattern(NamedTuple):
    """A pattern that is no plain path."""

    number: int
    folder: re.Pattern[str] | None
    """Matches the directory that a path is in, followed by `_NAME`; None: every directory."""
    name: re.Pattern[str] | None
    """Matches the path's name; None: every name."""
    path: re.Pattern[str] | None = None
    """Matches the whole path instead, where it is not known which part is the name."""


class _Names(dict[bytes, Sequence[int]]):
    """By name: which of some patterns match it. Names repeat themselves a lot."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        super().__init__()
        self._patterns = [(one.number, one.name) for one in patterns]
        regexes = dict.fromkeys(one.name.pattern for one in patterns if one.name)
        is_any = any(one.name is None for one in patterns)
        self._any = None if is_any else re.compile("|".join(regexes) or _NAME, re.DOTALL)

    def __missing__(self, name: bytes) -> Sequence[int]:
        if len(self) >= _FEW:
            self.clear()
        text = name.decode("utf-8", "surrogateescape")
        found: list[int] = []
        if self._any is None or self._any.fullmatch(text):
            found = [n for n, regex in self._patterns if regex is None or regex.fullmatch(text)]
        self[name] = found
        return found


class InFolder:
    """What patterns say of the names in one directory."""

    def __init__(
        self,
        prefix: str,
        names: Mapping[bytes, Sequence[int]],
        plain: Mapping[bytes, Sequence[int]],
        odd: Sequence[_Pattern],
    ) -> None:
        self._prefix, self._names, self._plain, self._odd = prefix, names, plain, odd
        self._has_more = bool(plain or odd)

    def match(self, name: bytes, above: int, used: set[int]) -> int:
        """Return the last pattern that matches a name's path, or a directory that it is in.

        Args:
            name: in this directory.
            above: what this returned for the directory.
            used: gets the numbers of all patterns that match anything.
        """
        found = self._names[name]
        if self._has_more:
            found = [*found, *self._more(name)]
        if not found:
            return above
        used.update(found)
        return max(above, *found)

    def _more(self, name: bytes) -> Iterator[int]:
        yield from self._plain.get(name, ())
        path = self._prefix + name.decode("utf-8", "surrogateescape")
        for one in self._odd:
            if one.path and one.path.fullmatch(path):
                yield one.number


@dataclass(frozen=True)
class PathPatterns:
    """Patterns that were read; their numbers are their places in the list."""

    texts: tuple[str, ...]
    """As they were given, in order."""
    _plain: Mapping[bytes, Mapping[bytes, Sequence[int]]]
    """By directory and name: the patterns that are just this path."""
    _others: tuple[_Pattern, ...]
    _folders: dict[bytes, InFolder] = field(default_factory=dict, compare=False, repr=False)
    _names: dict[tuple[int, ...], _Names] = field(default_factory=dict, compare=False, repr=False)
    """By the numbers of the patterns that count in a directory."""

    @classmethod
    def parse(cls, lines: Iterable[str]) -> PathPatterns:
        """Read patterns; blank ones don't count.

        Raises:
            UsageError: one makes no sense.
        """
        texts = tuple(text for line in lines if (text := line.strip()))
        plain: dict[bytes, dict[bytes, list[int]]] = {}
        others: list[_Pattern] = []
        for number, text in enumerate(texts):
            names = _names(text)
            parts = _PARTS.findall("/".join(names))
            _check(text, parts)
            if all(map(_is_plain, parts)):
                path = "".join(map(_unescaped, parts)).encode("utf-8", "surrogateescape")
                folder, _, name = path.rpartition(b"/")
                plain.setdefault(folder, {}).setdefault(name, []).append(number)
            else:
                others.append(_pattern(number, text, names, parts))
        return cls(texts, plain, tuple(others))

    def inside(self, folder: bytes) -> InFolder:
        """Return what they say of the names in a directory; empty: the root."""
        known = self._folders.get(folder)
        if known is None:
            if len(self._folders) >= _FEW:
                self._folders.clear()
            known = self._folders[folder] = self._inside(folder)
        return known

    def _inside(self, folder: bytes) -> InFolder:
        prefix = folder.decode("utf-8", "surrogateescape") + "/" if folder else ""
        there = f"{prefix}{_NAME}"
        active = [
            one
            for one in self._others
            if not one.path and (one.folder is None or one.folder.fullmatch(there))
        ]
        numbers = tuple(one.number for one in active)
        if numbers not in self._names:
            self._names[numbers] = _Names(active)
        odd = [one for one in self._others if one.path]
        return InFolder(prefix, self._names[numbers], self._plain.get(folder, {}), odd)

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
        folder, _, name = path.rpartition(b"/")
        return self.inside(folder).match(name, above, used)

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


def _pattern(number: int, text: str, names: Sequence[str], parts: Sequence[str]) -> _Pattern:
    """Return what matches the paths that a pattern says."""
    if _is_odd(names, parts):
        return _Pattern(number, None, None, _compile(_regex_of_odd(parts), text))
    *above, name = names
    is_any_name = name == _ANY
    folder = None
    if above != [_ANY] and names != [_ANY]:
        folder = _compile(_regex([*above, _ANY if is_any_name else _NAME]), text)
    return _Pattern(number, folder, None if is_any_name else _compile(_regex_of_name(name), text))


def _compile(regex: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(regex, re.DOTALL)
    except re.error as error:
        raise UsageError(f"`exclude` {text!r}: {error.msg}") from None


def _is_plain(part: str) -> bool:
    return part[0] not in "*?["


def _unescaped(part: str) -> str:
    return part[1:] if part[0] == "\\" else part


def _regex(names: Sequence[str]) -> str:
    """Return what matches the paths that a pattern of these names says.

    Each gap but the last one ends where what is behind it is found first, and is not tried again:
    the next gap takes what is left. So no path takes longer than its length times the pattern's.
    """
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
