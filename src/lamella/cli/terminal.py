"""The one gate for text that goes to a terminal, or to who reads the same lines elsewhere.

What an image, a registry or a path calls itself may have escape sequences, marks that turn text
round, or line breaks. Nothing of it passes; what passes are letters of all scripts, and our own
colours.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import traceback
from typing import TextIO

from lamella.errors import shortened
from lamella.report.text import printable

__all__ = ["colour", "line", "one_message", "say", "say_json", "say_text", "tell", "tell_traceback"]

LONGEST_MESSAGE = 500
"""Characters of an error: what is longer loses its middle."""
_LONGEST_TRACE = 2000
_RESET = "\x1b[0m"
# Text can't have a mark of ours by accident or on purpose: it is another one in each process.
_MARK = f"\x00{secrets.token_hex(8)}"
_COLOURED = re.compile(f"{_MARK}:([0-9;]+):")


def colour(codes: str, text: str) -> str:
    """Return text that `line` shows in a colour: SGR codes, like ``31;1``."""
    return f"{_MARK}:{codes}:{text}{_MARK}/"


def line(text: str) -> str:
    """Return text as one line that does nothing to a terminal but colour it as we said."""
    if _MARK not in text:
        return printable(text)
    out: list[str] = []
    for part in re.split(f"({_MARK}:[0-9;]+:|{_MARK}/)", text):
        start = _COLOURED.fullmatch(part)
        end = _RESET if part == f"{_MARK}/" else ""
        out.append(f"\x1b[{start[1]}m" if start else end or printable(part))
    return "".join(out)


def one_message(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return a message as one line, not too long."""
    safe = printable(" ".join(shortened(text, longest).split("\n")))
    return shortened(safe, longest)


def say(*lines: str) -> None:
    """Print lines to standard output."""
    _print(sys.stdout, lines)


def tell(*lines: str) -> None:
    """Print lines to standard error."""
    _print(sys.stderr, lines)


def say_text(text: str) -> None:
    """Print text of several lines of our own making to standard output."""
    say(*text.split("\n"))


def say_json(document: object) -> None:
    """Print one JSON document, which is ASCII, to standard output."""
    _print(sys.stdout, json.dumps(document, indent=2).split("\n"))


def tell_traceback(error: BaseException) -> None:
    """Print where an error came from."""
    for part in traceback.format_exception(error):
        tell(*(one_message(one, _LONGEST_TRACE) for one in part.rstrip("\n").split("\n")))


def _print(stream: TextIO | None, lines: tuple[str, ...] | list[str]) -> None:
    if stream is not None:
        print("".join(f"{line(one)}\n" for one in lines), end="", file=stream)
        if stream is sys.stderr:
            stream.flush()
