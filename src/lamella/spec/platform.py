"""Platforms: ``OS/ARCH[/VARIANT]``, as in an index.

https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

import platform as _host
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lamella.errors import InvalidReference

__all__ = ["Platform"]

# What Python calls a machine -> what Go (and so the standard) calls it.
_GO_ARCH = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i386": "386",
    "i686": "386",
    "loongarch64": "loong64",
}


@dataclass(frozen=True)
class Platform:
    """An operating system, an architecture and its variant (empty: any)."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``linux/arm64`` or ``linux/arm/v7``.

        Raises:
            InvalidReference: the text has another form.
        """
        parts = text.split("/")
        if len(parts) not in {2, 3} or not all(parts):
            message = f"invalid platform {text!r}; want OS/ARCH or OS/ARCH/VARIANT"
            raise InvalidReference(message)
        return cls(*parts)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Platform:
        """Return the platform that a descriptor's platform object or a config tells."""
        return cls(*(str(value.get(key) or "") for key in ("os", "architecture", "variant")))

    @classmethod
    def of_host(cls) -> Platform:
        """Return the platform of containers on this machine (Linux, whatever the desktop is)."""
        machine = _host.machine().lower()
        return cls("linux", _GO_ARCH.get(machine, machine))

    def matches(self, value: Mapping[str, Any]) -> bool:
        """Whether a descriptor's platform object is this platform."""
        return (
            value.get("os") == self.os
            and value.get("architecture") == self.architecture
            and self.variant in {"", value.get("variant") or ""}
        )

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        parts = (self.os, self.architecture, self.variant)
        return "/".join(part for part in parts if part) or "unknown"
