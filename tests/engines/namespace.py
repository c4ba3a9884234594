"""A long-running program in namespaces of its own, so that nothing of it can be left behind.

An engine mounts file systems and starts shims, helpers and containers, which outlive it when it is
killed. Here it gets a mount and a PID namespace: when their first process dies, the kernel ends all
others and drops all mounts. That first process dies with `stop`, and with the test run itself,
however that ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engines.process import run
from tests.support.machine import patience

STOP_TIMEOUT = 20.0
POLL_INTERVAL = 0.02


def wait_until(
    condition: Callable[[], bool], *, timeout: float, interval: float = POLL_INTERVAL
) -> bool:
    """Ask `condition` again and again until it holds; False when it does not in `timeout` s.

    On a slow machine it has longer.
    """
    deadline = time.monotonic() + patience(timeout)
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


@dataclass(frozen=True)
class Namespace:
    """A running program: `unshare`, below it an init, below that the program."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(
        cls,
        script: str,
        *arguments: str | Path,
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> Namespace:
        """Run a bash `script`, which ends in `exec docker-init -- PROGRAM`, in new namespaces.

        Args:
            script: what mounts and starts; sees `arguments` as `$1`, `$2`, …
            arguments: of the script.
            log: gets all output.
            env: added to this process's environment.
        """
        command = [
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
            *("bash", "-euc", script, "namespace"),
            *(os.fspath(argument) for argument in arguments),
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # Ctrl-C is for the tests, which then stop the engine
            )
        return cls(process, log)

    @property
    def init_pid(self) -> int | None:
        """PID, seen from outside, of the first process inside; None when there is none (yet)."""
        return _child_of(self.process.pid)

    @property
    def root(self) -> Path:
        """The file system as the program sees it, its mounts included."""
        return Path(f"/proc/{self.init_pid}/root")

    def enter(self, command: Sequence[str | Path]) -> list[str]:
        """Words that run `command` beside the program: same mounts, same root folder."""
        target = ("nsenter", "--target", str(self.init_pid), "--mount", "--pid", "--root", "--wd=/")
        return [*target, "--", *(os.fspath(word) for word in command)]

    def is_running(self) -> bool:
        """Tell whether the program runs."""
        return self.process.poll() is None

    def tail(self, lines: int = 15) -> str:
        """Give the end of what the program said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Ask the program to end, then make it; either way nothing of it is left."""
        try:
            if (init := self.init_pid) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(init, 15)
            self.process.wait(patience(STOP_TIMEOUT))
        except subprocess.TimeoutExpired:
            pass
        finally:
            if self.is_running():
                self.process.kill()
            self.process.wait(patience(STOP_TIMEOUT))


def unmount_below(folder: Path) -> None:
    """Undo the mounts that a tool made out here in `folder`, the innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted(points, reverse=True):
        if Path(point).is_relative_to(folder):
            run(["umount", "--lazy", point])


def _child_of(parent: int) -> int | None:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            # Fields after the program's name, which may hold spaces and brackets: state, PPID, …
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                return int(entry.name)
    return None
