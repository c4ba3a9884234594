"""Names of files: what stands behind ``docker-archive:``, ``oci-archive:`` and ``oci:``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["FileFormat", "FileName"]

FileFormat = Literal["docker-archive", "oci-archive", "oci", "archive", "delta-archive"]


@dataclass(frozen=True)
class FileName:
    """A file, a stream or a layout folder, and which image of it."""

    transport: FileFormat
    """``archive``: it tells what it is when it is opened; ``delta-archive``: it is only written,
    and lacks the layers that stay."""
    path: str
    """``-`` for a stream."""
    tag: str = ""
    """Which image of it."""

    def __str__(self) -> str:
        """Return what a user would type."""
        tag = f":{self.tag}" if self.tag else ""
        path = f"{self.path}{tag}"
        return path if self.transport == "archive" else f"{self.transport}:{path}"

    @property
    def is_stream(self) -> bool:
        """Whether it is standard input or standard output."""
        return self.path == "-"
