"""Processes that are lamella at once: forks of this one, which has imported it.

To start Python and to import all takes many times as long as the work that a soak looks at.
"""

from __future__ import annotations

import gc
import importlib
import io
import multiprocessing
import os
import pkgutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

import lamella
from lamella.cli.main import main

__all__ = ["Start", "imported", "started", "wait"]

_MOST_FILES = 4096
_HOLD = {signal.SIGUSR1}
_LATER = {signal.SIGINT}
"""Python would tell of it where nobody looks, as long as standard error is the parent's."""
_NOT_NEEDED = ("lamella.__main__", "lamella.explore", "lamella.cli.explore")


def imported() -> None:
    """Import all of lamella but the explorer, for the processes to come."""
    for module in pkgutil.walk_packages(lamella.__path__, "lamella."):
        if not module.name.startswith(_NOT_NEEDED):
            importlib.import_module(module.name)
    importlib.import_module("difflib")  # which click imports to suggest a name


@dataclass(frozen=True)
class Start:
    """What lamella is started with."""

    arguments: Sequence[str]
    """Those after its name."""
    variables: Mapping[str, str]
    """The whole environment."""
    errors: Path
    """The file that takes standard error."""
    stdin: int | None = None
    """A descriptor; None: nothing to read."""
    stdout: int | None = None
    """A descriptor; None: it is thrown away."""
    held: bool = False
    """Wait for SIGUSR1 before all else."""


def started(start: Start) -> ForkProcess:
    """Start lamella in a process of its own."""
    imported()
    start.errors.touch()  # who reads it may come before the process has opened it
    process = multiprocessing.get_context("fork").Process(target=_be_lamella, args=(start,))
    signal.pthread_sigmask(signal.SIG_BLOCK, _HOLD | _LATER)  # it inherits that
    process.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HOLD | _LATER)
    return process


def wait(process: ForkProcess, seconds: float) -> int | None:
    """Wait at most so many seconds; return the exit code, None if it goes on.

    `join` looks at a descriptor that the process has closed. One that is traced is gone when its
    tracer has heard of it, a moment after it ended.
    """
    end = time.monotonic() + seconds
    while process.exitcode is None and time.monotonic() < end:
        time.sleep(0.005)
    return process.exitcode


def _be_lamella(start: Start) -> None:
    gc.freeze()  # what the parent had must not be closed by its number
    nothing = os.open(os.devnull, os.O_RDWR)
    said = os.open(start.errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, into in ((start.stdin, 0), (start.stdout, 1), (said, 2)):
        os.dup2(nothing if number is None else number, into)
    os.closerange(3, _MOST_FILES)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)))
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    errors = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(errors, line_buffering=True)
    os.environ.clear()
    os.environ.update(start.variables)
    tempfile.tempdir = None
    sys.argv = ["lamella", *start.arguments]
    if start.held:
        signal.sigwait(_HOLD)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HOLD | _LATER)
    sys.exit(main())
