"""Patterns as lamella reads them, beside the matcher that Docker uses for ``.dockerignore``.

What is meant to be different is left out of what is drawn: brackets that match a slash, ``**`` that
does not match a line break, and what is passed on to Go's regular expressions as it is: a backslash
before a letter, bars, braces, ``^`` outside of brackets.
"""

from __future__ import annotations

import json
import posixpath
import random
from pathlib import Path

import pytest

from lamella.errors import UsageError
from lamella.merge.patterns import NO_PATTERN, PathPatterns
from tests.differential.go import build, running
from tests.engines.tools import Tool
from tests.support.machine import share

ROUNDS = share(3000, least=300)
"""Lists of patterns, each tried on so many paths:"""
PATHS = 12

_PIECES = (
    *(
        "a",
        "b",
        "ab",
        ".",
        "*",
        "*",
        "**",
        "**",
        "?",
        "/",
        "/",
        "/",
        "/**/",
        "*.b",
        "[ab]",
        "[a-c]",
    ),
    *(r"\*", r"\[", "\u00e9", "(", "+", "$", "x y", "]", "[b]"),
)
_NAMES = ("a", "b", "c", "ab", "a.b", ".", "*", "caf\u00e9", "\u00e9", "x y", "(a", "[", "a]b", "-")


def _patterns(chance: random.Random) -> list[str]:
    """Draw patterns."""
    return [
        chance.choice(("", "", "!", " ", "/", "./"))
        + "".join(chance.choices(_PIECES, k=chance.randint(1, 6)))
        for _ in range(chance.randint(1, 4))
    ]


def _path(chance: random.Random) -> str:
    names = chance.choices([name for name in _NAMES if name != "."], k=chance.randint(1, 5))
    return "/".join(names)


def _meant(patterns: PathPatterns, path: str) -> bool:
    last, above = NO_PATTERN, ""
    for name in path.split("/"):
        above = f"{above}/{name}" if above else name
        last = patterns.match(above.encode(), last, set())
    return patterns.mean(last)


def _as_docker_reads(line: str) -> str:
    """Return what Docker's reader of the file hands on: no slash at either end, nor a needless one.

    The matcher itself takes a slash in front for a part of the path.
    """
    text = line.strip()
    mark = text[: text.startswith("!")]
    path = posixpath.normpath(text.removeprefix("!").strip()).lstrip("/")
    return mark + path if path else text


@pytest.mark.engine
def test_patterns_mean_what_docker_takes_them_for(go: Tool, tmp_path: Path) -> None:
    """Of many lists each is refused by both, or means the same paths to both."""
    binary = build(go, Path(__file__).with_name("patterns.go"), tmp_path)
    read = 0
    with running(binary) as program:
        for seed in range(ROUNDS):
            chance = random.Random(seed)
            lines = _patterns(chance)
            paths = [_path(chance) for _ in range(PATHS)]
            asked = {"patterns": [_as_docker_reads(line) for line in lines], "paths": paths}
            answer = program.ask(json.dumps(asked).encode())
            try:
                patterns = PathPatterns.parse(lines)
            except UsageError:
                continue
            assert not answer["error"], lines
            assert [_meant(patterns, path) for path in paths] == answer["meant"], (lines, paths)
            read += 1
    assert read > ROUNDS / 2
