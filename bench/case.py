"""A case: several ways to the same end, run in turn, several rounds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.measure import FAILURES, Sample, reason_of


@dataclass(frozen=True)
class Way:
    """One way to do it; `run` prepares what it needs outside of what it measures."""

    name: str
    run: Callable[[], Sample]
    slow: bool = False
    """Takes so long that it gets fewer rounds, and none to warm up."""


@dataclass
class Case:
    """Ways that are held against each other; the first is what the others are measured by."""

    name: str
    title: str
    facts: dict[str, Any]
    ways: list[Way]
    missing: dict[str, str] = field(default_factory=dict)
    """Ways that can't be had here, and why."""
    warm: bool = True
    """Whether the fast ones have a first round that doesn't count."""
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def measure(self, rounds: int, slow_rounds: int) -> None:
        """Run all ways in turn, with a round before that warms up."""
        for number in range(0 if self.warm else 1, rounds + 1):
            for way in self.ways:
                if way.name in self.missing or (way.slow and not 1 <= number <= slow_rounds):
                    continue
                begin = time.monotonic()
                try:
                    sample = way.run()
                except FAILURES as error:
                    self.missing[way.name] = reason_of(error)
                    continue
                took = f"{sample.wall:.2f} s of {time.monotonic() - begin:.1f}"
                say(f"  {self.name}, round {number} of {rounds}: {way.name}: {took}")
                if number:
                    self.samples.setdefault(way.name, []).append(sample)

    def to_json(self) -> dict[str, Any]:
        """Return all that was measured."""
        return {
            "title": self.title,
            "facts": self.facts,
            "missing": self.missing,
            "ways": {name: [asdict(s) for s in found] for name, found in self.samples.items()},
        }


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)
