"""Run lamella as a user does, here or in a process of its own, and judge how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.warm import warm_command

__all__ = ["COMMAND", "SETTINGS", "Ran", "environment", "run", "start"]

COMMAND = Path(sys.executable).with_name("lamella")
_WORKING = {"analyze", "cat", "demo", "export", "layers", "ls", "plan", "squash", "verify"}
SETTINGS = {
    "SOURCE_DATE_EPOCH",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "NO_COLOR",
    "TERM",
    "GITHUB_STEP_SUMMARY",
}


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """What it wrote to standard output."""
        return self.out.decode()

    def worked(self, code: int = 0) -> Ran:
        """Check that it did what it was to do."""
        assert self.code == code, self.err
        assert "Traceback" not in self.err
        return self

    def failed(self, code: int, *words: str) -> Ran:
        """Check that it failed as it should: one line on stderr, which has these words."""
        assert self.code == code, (self.code, self.err)
        assert self.err.startswith("lamella: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert self.err.endswith("\n")
        for word in words:
            assert word in self.err
        return self


def environment(tmp: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment without the settings of whoever runs the tests."""
    kept = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    return {**kept, "TMPDIR": str(tmp), "DOCKER_HOST": f"unix://{tmp}/no-engine", **(more or {})}


def run(*args: str, tmp: Path, stdin: bytes | None = None, **settings: Any) -> Ran:  # noqa: ANN401 - of subprocess
    """Run the command in a process of its own, without progress unless the arguments ask for it.

    Progress is shown of what takes long, which depends on the machine.

    Args:
        args: its arguments.
        tmp: its TMPDIR, which is empty when it has ended.
        stdin: what it reads.
        settings: for `subprocess.run`; `env` is added to the environment.
    """
    env = environment(tmp, settings.pop("env", None))
    command = warm_command() if settings.keys() <= {"cwd"} else COMMAND
    done = subprocess.run(
        [*settings.pop("before", ()), command, *_silent(args)],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        env=env,
        check=False,
        timeout=600,
        **settings,
    )
    assert list(tmp.iterdir()) == []
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def start(
    *args: str,
    tmp: Path,
    command: Path = COMMAND,
    **settings: Any,  # noqa: ANN401 - as above
) -> subprocess.Popen[bytes]:
    """Start the command; its stderr is a pipe unless `settings` say otherwise.

    A pipe gets no progress unless the arguments ask for it. With `warm_command()` as `command` it
    starts quickly, but gets no signals.
    """
    env = environment(tmp, settings.pop("env", None))
    if "stderr" not in settings:
        args = _silent(args)
    return subprocess.Popen([command, *args], env=env, **{"stderr": subprocess.PIPE, **settings})


def _silent(args: tuple[str, ...]) -> tuple[str, ...]:
    """Ask for no progress before all else, so that what the arguments ask for has the last word."""
    works = bool(args) and args[0] in _WORKING
    return (args[0], "--progress", "none", *args[1:]) if works else args
