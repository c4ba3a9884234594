"""How many cores this process may use: the one place that says so."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["usable_cores"]

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return how many threads of this process can be busy at a time, at least 1.

    It counts the cores that the process is allowed to run on, and no more than the share that its
    control group has, rounded up: a container or a job often has less than the machine.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _share(cores)))


def _share(cores: int) -> int:
    """Return how many cores the control groups give, of so many; those of version 2 are asked.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, cpu.max: "$MAX $PERIOD" in microseconds. The
    limits of all groups above count, too.
    """
    with suppress(OSError, ValueError):
        lines = _OWN.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        own = next((line[3:] for line in lines if line.startswith("0::")), "").strip("/")
        group = _CGROUPS / own
        for folder in (group, *group.parents):
            cores = min(cores, _limit(folder, cores))
            if folder == _CGROUPS:
                break
    return cores


def _limit(folder: Path, cores: int) -> int:
    with suppress(OSError, ValueError):
        quota, period = map(int, (folder / "cpu.max").read_text(encoding="ascii").split())
        if quota > 0 and period > 0:
            return -(-quota // period)
    return cores  # there is no file, or "max" in it
