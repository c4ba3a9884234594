"""The one gate for text that goes to a terminal, or to who reads the same lines elsewhere.

What an image, a registry or a path calls itself may have escape sequences, marks that turn text
round, or line breaks. Nothing of it passes; what passes are letters of all scripts, and our own
colours.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TextIO

from lamella.cli.signals import signals
from lamella.errors import OutputError, shortened
from lamella.report.text import printable
from lamella.waiting import is_published

__all__ = [
    "colour",
    "flush",
    "give_up",
    "line",
    "one_message",
    "say",
    "say_json",
    "say_text",
    "say_whole",
    "tell",
    "tell_traceback",
]

LONGEST_MESSAGE = 500
"""Characters of an error: what is longer loses its middle."""
_LONGEST_TRACE = 2000
_PARTS = 1000
"""Numbers, names and commas that are printed in one go."""
_RESET = "\x1b[0m"
# Text can't have a mark of ours by accident or on purpose: it is another one in each process.
_MARK = f"\x00{os.urandom(8).hex()}"
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
    """Print lines to standard output.

    Raises:
        OutputError: they can't be written.
        BrokenPipeError: the reader closed the pipe.
    """
    with _told():
        _print(sys.stdout, lines)


def tell(*lines: str) -> None:
    """Print lines to standard error; if that can't be written, they are lost."""
    try:
        _print(sys.stderr, lines)
    except OSError:
        give_up(sys.stderr)


def say_text(text: str) -> None:
    """Print text of several lines of our own making to standard output."""
    say(*text.split("\n"))


def say_whole(text: str) -> None:
    """Write text that is not for a terminal as it is to standard output; raises what `say` does."""
    with _told():
        print(text, end="")


def say_json(document: object) -> None:
    """Print one JSON document, which is ASCII, to standard output; raises what `say` does.

    Part by part: the text is several times as large as what it is made from.
    """
    import json  # noqa: PLC0415 - `lamella --version` needs none

    if sys.stdout is not None:
        with _told():
            parts = json.JSONEncoder(indent=2).iterencode(document)
            while some := "".join(islice(parts, _PARTS)):
                print(some, end="")
            print()


def tell_traceback(error: BaseException) -> None:
    """Print where an error came from."""
    for part in traceback.format_exception(error):
        tell(*(one_message(one, _LONGEST_TRACE) for one in part.rstrip("\n").split("\n")))


def flush() -> None:
    """Write what is left of standard output; raises what `say` does."""
    if sys.stdout is not None:
        with _told():
            sys.stdout.flush()


def give_up(stream: TextIO) -> None:
    """The interpreter must not complain at exit about what could not be written, nor wait.

    Streams of a program that calls lamella are left as they are.
    """
    if not signals.is_program:
        return
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up(sys.stdout)
        before = "; the new image was already written" if is_published() else ""
        message = f"can't write standard output: {error.strerror or error}{before}"
        raise OutputError(message) from error


def _print(stream: TextIO | None, lines: Sequence[str]) -> None:
    if stream is not None:
        print("".join(f"{line(one)}\n" for one in lines), end="", file=stream)
        if stream is sys.stderr:
            stream.flush()
