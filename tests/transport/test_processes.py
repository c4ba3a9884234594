"""Programs that lamella started are gone when it is done with them."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from lamella.transport.processes import end_process


def test_one_that_ends_by_itself_is_not_killed() -> None:
    """It has its time to tidy up."""
    with subprocess.Popen(["sleep", "0.05"]) as process:
        end_process(process, 60)
        assert process.returncode == 0


@pytest.mark.parametrize("interrupted", [False, True])
def test_one_that_goes_on_is_killed(interrupted: bool) -> None:
    """Also after an interrupt in the midst of `poll`, which leaves its lock taken for ever."""
    process = subprocess.Popen(["sleep", "600"])
    lock = process._waitpid_lock  # type: ignore[attr-defined]  # noqa: SLF001 - what an interrupt leaves
    if interrupted:
        lock.acquire()
    end_process(process)
    if interrupted:
        status = os.waitpid(process.pid, 0)[1]
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == -signal.SIGKILL
