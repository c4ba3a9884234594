"""Programs that lamella started, and that must be gone when it is done with them."""

from __future__ import annotations

import subprocess
from contextlib import suppress

__all__ = ["end_process"]

_REAPED = 1.0
"""Seconds until the system reports a killed process as gone."""


def end_process(process: subprocess.Popen[bytes], seconds: float = 0.0) -> None:
    """See to it that a process is gone: it may take so many seconds to end, then it is killed.

    No wait is without an end: where an interrupt came just as `Popen.poll` had taken the lock of a
    process, nothing gives that back, and `Popen.wait` without a timeout waits for it without end.
    """
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAPED)
