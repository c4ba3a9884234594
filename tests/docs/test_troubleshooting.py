"""What the page about messages quotes is what the code says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import lamella
from lamella import errors
from lamella.cli.failures import in_options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"
HEADS = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
HOLE = "…"


def text_of(node: ast.AST) -> str:
    """Return the text of a literal as users see it, holes of an f-string as dots."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return in_options(node.value.replace("{}", HOLE))
    return HOLE


@cache
def messages() -> str:
    """Return every text in the code, one a line, but for docstrings."""
    found: list[str] = []
    for path in Path(lamella.__file__).parent.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        texts = (n for n in nodes if isinstance(n, ast.JoinedStr | ast.Constant))
        found += [text_of(text).replace("\n", " ") for text in texts if id(text) not in alone]
    return "\n".join(found)


def pattern(head: str) -> str:
    """Return what finds a quoted message: dots stand for anything, between texts that are there."""
    return ".*".join(re.escape(part) for part in head.strip(HOLE).split(HOLE))


@pytest.mark.parametrize("head", HEADS)
def test_each_message_exists(head: str) -> None:
    """Who searches for what a terminal shows must find it: the code has the words of the page."""
    assert re.search(pattern(head), messages()), head


def test_many_messages_are_explained() -> None:
    """The table above was found, and no message stands in it twice."""
    assert len(HEADS) > 120
    assert len(HEADS) == len(set(HEADS))


def test_every_exit_code_has_a_group() -> None:
    """A list on top leads from the exit code to the messages."""
    listed = re.findall(r"^- \[.*\(([\d, ]+)\)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    codes = {int(code) for codes in listed for code in codes.split(", ")}
    families = {kind.exit_code for kind in errors.LamellaError.__subclasses__()}
    assert families <= codes
