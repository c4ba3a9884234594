"""Text that an option names a file of."""

from __future__ import annotations

import sys
from pathlib import Path

from lamella.errors import UsageError

__all__ = ["STDIN", "read_text"]

STDIN = "-"
_LARGEST = 64 << 20


def read_text(path: str, option: str) -> str:
    """Return what is in a file; a dash is standard input.

    Raises:
        UsageError: it can't be read.
    """
    try:
        if path == STDIN:
            if sys.stdin is None:
                raise UsageError(f"{option} -: standard input is closed")
            return sys.stdin.read(_LARGEST)
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_LARGEST)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "expected text in UTF-8"
        raise UsageError(f"{option} {path}: {reason}") from error
