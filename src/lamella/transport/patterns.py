"""Patterns of names, as a shell has them."""

from __future__ import annotations

import re

from lamella.errors import UsageError

__all__ = ["is_pattern", "matcher"]

_MARKS = frozenset("*?[")


def is_pattern(text: str) -> bool:
    """Whether a text may stand for several names."""
    return not _MARKS.isdisjoint(text)


def matcher(pattern: str) -> re.Pattern[str]:
    """Return what matches as a shell would: ``*`` and ``?`` no slash, ``**`` any, ``[a-z]``.

    Raises:
        UsageError: a bracket is not closed.
    """
    parts = re.findall(r"\*\*|\*|\?|\[!?\]?[^\]]*\]|[^*?\[]+|\[", pattern)
    if "[" in parts:
        raise UsageError(f"pattern {pattern!r}: expected ] after [")
    return re.compile("".join(map(_as_regex, parts)))


def _as_regex(part: str) -> str:
    match part:
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if part.startswith("["):
        inner = part[1:-1].replace("\\", r"\\")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(part)
