"""What every harness of the soak looks like: numbered rounds, each the same whenever it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Harness", "Round"]


@dataclass
class Round:
    """What one round did."""

    count: int
    """How many things were checked (headers, images, signals, …)."""
    findings: list[str]
    """What was wrong, a line each; empty if all was right."""
    kept: list[Path]
    """Inputs that show it, made as small as they get; only with findings."""


@dataclass(frozen=True)
class Harness:
    """One kind of check. It is chosen by its name."""

    name: str
    unit: str
    """What `Round.count` counts, as a plural."""
    run: Callable[[int, Path], Round]
    """Do the round of a seed. The folder takes what is to be kept; it exists."""
    processes: int = 1
    """How many may run beside each other."""
