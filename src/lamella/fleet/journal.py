"""What was done, a line each, on the disk before the next: for people, and to go on from."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from lamella.errors import OutputError, UsageError
from lamella.files import append_line
from lamella.fleet.task import Noted, Outcome

__all__ = ["Journal", "read_journal"]

_LONGEST_LINE = 1 << 16


class Journal:
    """A file of JSON lines, to which any number of processes may append."""

    def __init__(self, path: str) -> None:
        """Open it, or make it.

        Raises:
            OutputError: it can't be written.
        """
        self._path, self._lock = path, threading.Lock()
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(f"journal {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        os.close(self._fd)

    def note(self, outcome: Outcome) -> None:
        """Append a line, and see to it that it is on the disk.

        Raises:
            OutputError: the disk is full, or went away.
        """
        line = json.dumps(outcome.to_json(), separators=(",", ":")).encode()
        try:
            with self._lock:
                append_line(self._fd, line)
        except OSError as error:
            raise OutputError(f"journal {self._path}: {error.strerror}") from error


def read_journal(path: str) -> dict[tuple[str, str], Noted]:
    """Return what was done, by source and destination; nothing if there is no such file.

    A line that was cut off, by a kill or a full disk, is passed over.

    Raises:
        UsageError: it can't be read, or is no journal.
    """
    try:
        with Path(path).open("rb") as file:
            return dict(_entries(file, path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"journal {path}: {error.strerror}") from error


def _entries(lines: Iterator[bytes], path: str) -> Iterator[tuple[tuple[str, str], Noted]]:
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE:
            raise UsageError(f"journal {path}: line {number} is too long; is it a journal?")
        try:
            value: Any = json.loads(line)
        except ValueError:
            continue  # cut off
        if not isinstance(value, dict) or "source_digest" not in value:
            raise UsageError(f"journal {path}: line {number} is not an entry of a journal")
        if value.get("state") in {"squashed", "changed", "copied", "unchanged"}:
            key = str(value["source"]), str(value["destination"])
            known = (value["source_digest"], value["plan"], value["digest"])
            yield key, Noted(*map(str, known))
