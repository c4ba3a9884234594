"""Which images are meant: named one by one, or by lists in files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lamella.errors import UsageError

__all__ = ["expand_images", "read_pulls"]

_STDIN = "-"
_LARGEST = 64 << 20


def expand_images(arguments: Sequence[str], lists: Sequence[str] = ()) -> list[str]:
    """Return the images that are meant, in order, each once.

    Args:
        arguments: a reference, or ``@FILE`` for those in a file.
        lists: further files.

    Raises:
        UsageError: a file can't be read, or no image is named.
    """
    named: list[str] = []
    for argument in arguments:
        named += _lines(argument[1:]) if argument.startswith("@") else [argument]
    for path in lists:
        named += _lines(path)
    if not named:
        raise UsageError("no images: name some, or give a list by --from FILE")
    return list(dict.fromkeys(named))


def read_pulls(path: str) -> dict[str, int]:
    """Return how often images are pulled: a line has a number and a reference.

    Raises:
        UsageError: the file can't be read, or a line is something else.
    """
    pulls: dict[str, int] = {}
    for line in _lines(path):
        number, _, name = line.partition(" ")
        if not (number.isascii() and number.isdigit() and name.strip()):
            raise UsageError(f"--pulls {path}: expected lines NUMBER IMAGE, got {line!r:.60}")
        pulls[name.strip()] = pulls.get(name.strip(), 0) + int(number)
    return pulls


def _lines(path: str) -> Iterator[str]:
    """Yield the lines of a file, without blanks around them; those that begin with # are left out.

    Raises:
        UsageError: it can't be read.
    """
    try:
        if path == _STDIN:
            text = sys.stdin.read(_LARGEST) if sys.stdin is not None else ""
        else:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(_LARGEST)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(f"can't read the list {path}: {reason}") from error
    for line in text.splitlines():
        stripped = " ".join(line.split())
        if stripped and not stripped.startswith("#"):
            yield stripped
