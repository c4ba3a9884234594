"""Platforms: ``OS/ARCH[/VARIANT]``, as in an index.

https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

import platform as _host
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lamella.errors import InvalidReference

__all__ = ["Platform"]

# What systems and tools call a machine -> what Go (and so the standard) calls it, with its variant.
_GO_ARCH = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "loongarch64": ("loong64", ""),
}
_ARCHITECTURES = {
    *("386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"),
}
"""Of images that are common, in Go's words."""
_BASELINES = {("amd64", "v1"), ("arm64", "v8")}
"""Variants that say no more than the architecture alone."""
_ARM = ("arm", "")
"""Stands for v7."""


@dataclass(frozen=True)
class Platform:
    """An operating system, an architecture and its variant (empty: any)."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``linux/arm64``, ``linux/arm/v7`` or, meaning Linux, ``arm64``.

        Raises:
            InvalidReference: the text has another form.
        """
        parts = text.split("/")
        if text in _ARCHITECTURES or text in _GO_ARCH:
            parts.insert(0, "linux")
        if len(parts) not in {2, 3} or not all(parts):
            message = f"invalid platform {text!r}; expected OS/ARCH, OS/ARCH/VARIANT or ARCH"
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
        return cls("linux", _GO_ARCH.get(machine, (machine, ""))[0])

    @property
    def normalized(self) -> Platform:
        """The same platform in one spelling, by containerd's rules.

        https://github.com/containerd/platforms/blob/main/database.go
        """
        os, architecture = self.os.lower(), self.architecture.lower()
        variant = self.variant.lower()
        architecture, implied = _GO_ARCH.get(architecture, (architecture, ""))
        variant = variant or implied
        variant = f"v{variant}" if variant.isdecimal() else variant
        if (architecture, variant) in _BASELINES:
            variant = ""
        elif (architecture, variant) == _ARM:
            variant = "v7"
        return Platform("darwin" if os == "macos" else os, architecture, variant)

    def rank(self, value: Mapping[str, Any]) -> int | None:
        """Return how well an image serves this platform: 0 is best; None: it does not.

        A machine also runs images for lower variants of its architecture. Where no variant is
        asked for, any other is the last choice.

        Args:
            value: the platform object of the image's descriptor, or its config.
        """
        mine, other = self.normalized, Platform.of(value).normalized
        if (mine.os, mine.architecture) != (other.os, other.architecture):
            return None
        runs = _variants_run_by(mine)
        if other.variant in runs:
            return runs.index(other.variant)
        return None if self.variant else len(runs)

    def matches(self, value: Mapping[str, Any]) -> bool:
        """Whether an image is of this platform, or serves it; see `rank`."""
        return self.rank(value) is not None

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        parts = (self.os, self.architecture, self.variant)
        return "/".join(part for part in parts if part) or "unknown"


def _variants_run_by(platform: Platform) -> list[str]:
    """Return the variant of a normalized platform and all lower ones, best first."""
    number = platform.variant.removeprefix("v")
    if not (number.isdecimal() and number.isascii() and len(number) == 1):
        return [platform.variant]
    lower = (replace(platform, variant=f"v{n}") for n in range(int(number), 0, -1))
    return list(dict.fromkeys(one.normalized.variant for one in lower))
