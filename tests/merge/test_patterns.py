"""Patterns of paths, as ``.dockerignore`` has them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lamella.errors import UsageError
from lamella.merge.patterns import NO_PATTERN, PathPatterns, pattern_of
from tests.properties.ignoring import is_meant
from tests.support.examples import examples


def meant(path: str, *lines: str) -> bool:
    """Whether a path is meant: alone, or by a directory that it is in."""
    patterns = PathPatterns.parse(lines)
    last, prefix, used = NO_PATTERN, "", set[int]()
    for name in path.split("/"):
        prefix = f"{prefix}/{name}" if prefix else name
        last = patterns.match(prefix.encode("utf-8", "surrogateescape"), last, used)
    return patterns.mean(last)


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("etc/passwd", ["etc/passwd"]),
        ("etc/passwd", ["/etc/passwd"]),
        ("etc/passwd", ["etc/"]),
        ("etc/passwd", ["  ./etc//passwd  "]),
        ("var/cache/apt/x.deb", ["var/cache"]),
        ("var/cache/apt/x.deb", ["**/*.deb"]),
        ("x.deb", ["**/*.deb"]),
        ("a/b/c", ["a/**/c"]),
        ("a/c", ["a/**/c"]),
        ("a/b", ["a/**"]),
        ("a/b/c", ["**"]),
        ("a1", ["a?"]),
        ("a1", ["a[0-9]"]),
        ("ax", ["a[^0-9]"]),
        ("a]", ["a[]x]"]),
        ("a-", ["a[x-]"]),
        ("a*", [r"a\*"]),
        ("gr\u00fcn", ["gr?n"]),
        ("caf\udce9", ["caf?"]),
        ("a\nb", ["a*b"]),
        (".git/HEAD", [".git"]),
        ("a(b)+.x|y", ["a(b)+.x|y"]),
        ("b", ["!b", "b"]),
        ("docs/README.md", ["*", "!*.md", "docs"]),
    ],
)
def test_it_is_meant(path: str, lines: list[str]) -> None:
    """What the documentation of Docker says of each form."""
    assert meant(path, *lines)


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("usr/etc/passwd", ["etc/passwd"]),
        ("etc/passwd2", ["etc/passwd"]),
        ("a/x.deb", ["*.deb"]),
        ("a/b/c", ["a/*/d"]),
        ("a", ["a/**"]),
        ("a/b", ["a?b"]),
        ("a/b", ["a[^x]b"]),
        ("a1", ["a[^0-9]"]),
        ("ab", [r"a\*"]),
        ("a", ["# a", "", "  "]),
        ("b", ["b", "!b"]),
        ("a/b", ["a", "!a/b"]),
        ("a/b/c", ["a", "!a/b"]),
        ("README.md", ["*", "!*.md"]),
        ("anything", []),
    ],
)
def test_it_is_not_meant(path: str, lines: list[str]) -> None:
    """The last pattern that matches counts; a star matches no slash."""
    assert not meant(path, *lines)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a[b", "expected ] after ["),
        ("a\\", "expected a character after \\"),
        ("!", "expected a path from the root of the image"),
        ("/", "expected a path from the root of the image"),
        ("../a", "expected a path from the root of the image"),
        ("a[z-a]", "bad character range"),
    ],
)
def test_what_makes_no_sense_is_told(line: str, reason: str) -> None:
    """Before any work, with the pattern."""
    with pytest.raises(UsageError, match=re.escape(reason)) as told:
        PathPatterns.parse(["fine", line])
    assert repr(line) in str(told.value)


def test_patterns_that_match_nothing_are_known() -> None:
    """Also those of which a later one decides."""
    patterns = PathPatterns.parse(["a", "!a/b", "never"])
    used: set[int] = set()
    patterns.match(b"a/b", patterns.match(b"a", NO_PATTERN, used), used)
    assert patterns.unused(used) == ["never"]


PIECES = st.sampled_from(["a", "b", "*", "**", "?", "[ab]", "[^a]", "/", "/", "c", "\\*", "a*"])
LINES = st.lists(
    st.tuples(st.sampled_from(["", "", "!"]), st.lists(PIECES, min_size=1, max_size=6)).map(
        lambda drawn: drawn[0] + "".join(drawn[1])
    ),
    max_size=5,
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "ab", "*", "ca"]), min_size=1, max_size=4)


@examples(400)
@given(PATHS, LINES)
@example(["a", "b"], ["**/b/**", "!a/**"])
def test_as_a_slow_reading_of_the_rules(path: list[str], lines: list[str]) -> None:
    """Which has no regular expression."""
    try:
        found = meant("/".join(path), *lines)
    except UsageError:
        assert any(not line.strip("!/") for line in lines)
        return
    assert found == is_meant("/".join(path), lines)


# -- the pattern of a path

NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"*", b"**", b"?", b"[ab]", b"\\", b"!a", b"#a", b" a ", b"-a"]),
    st.sampled_from([b"a\nb", b"caf\xe9", b"caf\xc3\xa9", "a\u3000".encode(), b"\x85", b"]", b"^"]),
    st.binary(min_size=1, max_size=4).filter(
        lambda name: not set(name) & set(b"/\0") and name not in {b".", b".."}
    ),
)
FOLDERS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)


def written(path: bytes) -> str:
    """Return a path as text in which all that can't be typed is one and the same."""
    text = path.decode("utf-8", "surrogateescape")
    return "".join(letter if letter.isprintable() or letter == "/" else "\0" for letter in text)


@examples(400)
@given(FOLDERS, NAMES, FOLDERS)
@example(b"a", b"b", b"a\n")
@example(b"[ab]/a ", b"*", b"a/a ")
@example(b"caf\xe9", b"a", "caf\u00e9".encode())
def test_the_pattern_of_a_path_means_it_alone(path: bytes, kid: bytes, other: bytes) -> None:
    """And what is in it; others only where they differ in what can't be typed."""
    pattern = pattern_of(path)
    assert pattern.isprintable()
    assert meant(path.decode("utf-8", "surrogateescape"), pattern)
    assert meant((path + b"/" + kid).decode("utf-8", "surrogateescape"), pattern)
    is_in_it = (written(other) + "/").startswith(written(path) + "/")
    if written(other).isascii() and written(path).isascii():
        assert meant(other.decode("utf-8", "surrogateescape"), pattern) is is_in_it
    assert pattern_of(path + b"/" + kid).startswith(pattern + "/")


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        (b"etc/passwd", "etc/passwd"),
        (b"a [x]*?.txt", r"a \[x]\*\?.txt"),
        (b"!a/#b", "/!a/#b"),
        (b" a / b ", "/ a[ ]/ b[ ]"),
        (b"-x", "/-x"),
        ("gr\u00fcn".encode(), "gr\u00fcn"),
        (b"caf\xe9\n", "caf[^ -~][^ -~]"),
    ],
)
def test_what_the_pattern_of_a_path_looks_like(path: bytes, pattern: str) -> None:
    """As it is, wherever that means the same."""
    assert pattern_of(path) == pattern
