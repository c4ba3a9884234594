"""How quick this machine is just now, and how much the tests ask of it.

A machine may be shared: its processors stand still for seconds while others use them. Then a test
must not take a late answer for a lost one, and a property is tried with fewer examples, so that a
run still ends in its time. Where the machine is its own, all of this changes nothing.
"""

from __future__ import annotations

import os
import time

__all__ = ["measure", "patience", "share", "slowness"]

_VARIABLE = "LAMELLA_TEST_SLOWNESS"
_UNIT = 50_000
_MEASURED = 1.5
"""Seconds: a processor may be ours for a moment and then stand still for one."""
_FEWEST = 20
_NOISE = 3.0
"""A machine that takes no more times as long is like one of its own."""
_SMALLEST_SHARE = 1 / 20
_LONGEST = 20.0


def measure() -> float:
    """Return how many times longer work takes here than it does while nothing interferes.

    Equal pieces of work are timed: the quickest had the processor for itself.
    """
    begun = last = time.perf_counter()
    quickest, units = float("inf"), 0
    while last - begun < _MEASURED or units < _FEWEST:
        for _ in range(_UNIT):
            pass
        now = time.perf_counter()
        quickest = min(quickest, now - last)
        last, units = now, units + 1
    return (last - begun) / (units * quickest)


def slowness() -> float:
    """Return what `measure` told, once for a run and all its processes; 1 if it told little."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = f"{measure():.1f}"
    told = float(os.environ[_VARIABLE])
    return told if told > _NOISE else 1.0


def patience(seconds: float) -> float:
    """Return how long to wait for what takes at most so many seconds on a machine of its own."""
    return seconds * min(slowness(), _LONGEST)


def share(count: int, *, least: int) -> int:
    """Return how many of so many examples to try, `least` of them at any rate."""
    return max(min(count, least), round(count * max(1 / slowness(), _SMALLEST_SHARE)))
