"""A slow, literal reading of ``.dockerignore``'s rules, of which nothing is lamella's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["is_meant"]


def is_meant(path: str, lines: Iterable[str]) -> bool:
    """Whether a path, or a directory that it is in, is what the last matching pattern means."""
    names = path.split("/")
    heads = ["/".join(names[:count]) for count in range(1, len(names) + 1)]
    found = False
    for line in lines:
        text = line.strip()
        if not text:
            continue
        pattern = "/".join(n for n in text.removeprefix("!").split("/") if n not in {"", "."})
        if any(_is(pattern, head) for head in heads):
            found = not text.startswith("!")
    return found


def _is(pattern: str, text: str) -> bool:
    if pattern.startswith("**") and not set(pattern[2:]) & set("*?[]\\"):
        rest = pattern[2:]
        return text.endswith(rest) or (rest[:1] == "/" and text == rest[1:])
    return _matches(pattern, text)


def _matches(pattern: str, text: str) -> bool:  # noqa: PLR0911 - a case for each rule
    if not pattern:
        return not text
    if pattern == "**":
        return True
    if pattern.startswith("**"):
        starts = [0, *(at + 1 for at, letter in enumerate(text) if letter == "/")]
        rest = pattern[2:].removeprefix("/")
        return any(_matches(rest, text[at:]) for at in starts)
    if pattern[0] == "*":
        end = text.find("/") if "/" in text else len(text)
        return any(_matches(pattern[1:], text[at:]) for at in range(end + 1))
    if not text:
        return False
    if pattern[0] == "?":
        return text[0] != "/" and _matches(pattern[1:], text[1:])
    if pattern[0] == "[":
        end = pattern.index("]", 2 + (pattern[1] == "^"))
        inner = pattern[1:end]
        within = _among(inner.removeprefix("^"), text[0])
        ok = text[0] != "/" and within != inner.startswith("^")
        return ok and _matches(pattern[end + 1 :], text[1:])
    if pattern[0] == "\\":
        pattern = pattern[1:]
    return pattern[0] == text[0] and _matches(pattern[1:], text[1:])


def _among(letters: Sequence[str], letter: str) -> bool:
    at = 0
    while at < len(letters):
        if at + 2 < len(letters) and letters[at + 1] == "-":
            if letters[at] <= letter <= letters[at + 2]:
                return True
            at += 3
        else:
            if letters[at] == letter:
                return True
            at += 1
    return False
