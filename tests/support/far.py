"""Stored bytes that can't be read from any place."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Far"]


@dataclass(frozen=True)
class Far:
    """A blob that is read from its beginning alone."""

    content: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """Return a new stream."""
        return io.BytesIO(self.content)
