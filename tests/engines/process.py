"""Run a command; when it fails, say what it said."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

DEFAULT_TIMEOUT = 600.0  # a machine may be much slower than ours: only a hang takes so long


class CommandError(Exception):
    """A command failed: its words, its exit code, what it wrote to stderr, and last to stdout."""

    def __init__(self, command: Sequence[str], returncode: int, stderr: str, stdout: str) -> None:
        said = f"{stderr.strip()}\n{stdout[-1000:].strip()}".strip()
        super().__init__(f"{shlex.join(command)}: exit code {returncode}: {said}")
        self.command = tuple(command)
        self.returncode = returncode
        self.stderr = stderr


def run_bytes(
    command: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> bytes:
    """Run `command` and give back its stdout.

    Args:
        command: the program and its arguments.
        stdin: what the program reads; nothing, when None.
        env: added to this process's environment.
        cwd: where it runs; here, when None.
        timeout: seconds until it is killed.

    Raises:
        CommandError: it ended with another exit code than 0.
        subprocess.TimeoutExpired: it did not end in time.
    """
    words = [os.fspath(word) for word in command]
    done = subprocess.run(
        words,
        input=b"" if stdin is None else stdin,
        capture_output=True,
        check=False,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=timeout,
    )
    if done.returncode:
        stderr, stdout = (said.decode(errors="replace") for said in (done.stderr, done.stdout))
        raise CommandError(words, done.returncode, stderr, stdout)
    return done.stdout


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> str:
    """Do what `run_bytes` does, for a command that writes text."""
    return run_bytes(command, stdin=stdin, env=env, cwd=cwd, timeout=timeout).decode()
