"""Progress as events: what is being done and how far it is; drawing it is the caller's job."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SILENT", "Progress"]


class Progress(Protocol):
    """Receives events of long work. Calls may come from any thread."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A new phase begins; `total` is its size in bytes, None if unknown."""

    def advance(self, amount: int) -> None:
        """So many more bytes of the current phase are done."""

    def note(self, message: str) -> None:
        """Something a user may want to read, one line."""

    def debug(self, message: str) -> None:
        """A line that helps to find a fault."""


class _Silent:
    def phase(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass

    def note(self, message: str) -> None:
        pass

    def debug(self, message: str) -> None:
        pass


SILENT: Progress = _Silent()
