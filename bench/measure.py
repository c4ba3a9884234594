"""One run of a command, measured: time, processor time, memory, temporary disk, bytes.

What is counted, for the command with all its children, and for the engine or registry that it
makes work:

* wall: seconds by the clock;
* cpu: user and system seconds of the command and of the engine;
* rss: peak resident memory of the largest process of the command (not of the engine), bytes;
* temp: the most disk that lay in its temporary folder (and the engine's) at one time, bytes, with
  files that are open but have no name any more; looked at while it runs;
* read, written: bytes that went through read and write calls of the command and the engine (rchar
  and wchar of /proc/PID/io): from files, cached or not, from pipes, and from sockets where a
  program uses the same calls for them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bench import launch
from tests.engines.daemon import EngineUnavailableError
from tests.engines.process import CommandError

TICKS = os.sysconf("SC_CLK_TCK")
# Looking at the disk takes at most this share of one core's time.
WATCHING = 0.05

FAILURES = (CommandError, EngineUnavailableError, subprocess.TimeoutExpired)
"""What ends one way of doing it, and not the whole run."""


@dataclass(frozen=True)
class Sample:
    """One run, see above; what a way of doing it can't tell is None."""

    wall: float
    cpu: float
    rss: int | None = None
    temp: int | None = None
    read: int | None = None
    written: int | None = None

    def __add__(self, other: Sample) -> Sample:
        """Give what one after the other costs."""

        def both(name: str, how: Callable[[list[int]], int]) -> int | None:
            values = [getattr(self, name), getattr(other, name)]
            return None if None in values else how(values)

        return Sample(
            self.wall + other.wall,
            self.cpu + other.cpu,
            *(both("rss", max), both("temp", max), both("read", sum), both("written", sum)),
        )


@dataclass(frozen=True)
class Helper:
    """A server that works for the commands: its first process, and where it has temporary files."""

    pid: int
    temp: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Runner:
    """Runs commands with a temporary folder of their own."""

    temp: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        helper: Helper | None = None,
    ) -> Sample:
        """Run a command and measure it.

        Raises:
            CommandError: it failed.
        """
        os.sync()  # what the one before has left to be written is not this one's business
        variables = {**os.environ, "TMPDIR": str(self.temp), **self.environment, **(env or {})}
        said = self.temp.with_name("stderr")
        before = _Used.of(helper)
        with said.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-IS", launch.__file__, *(os.fspath(word) for word in command)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=variables,
            )
        with _Watch(process.pid, [self.temp, *(helper.temp if helper else ())]) as watch:
            answer = process.communicate()[0]
        found = json.loads(answer or '{"code": 127}')
        if found["code"]:
            words = [os.fspath(word) for word in command]
            raise CommandError(words, found["code"], said.read_text(errors="replace"), "")
        used = _Used.of(helper).since(before)
        return Sample(
            found["wall"],
            found["cpu"] + used.cpu,
            found["rss"],
            watch.most,
            found["read"] + used.read,
            found["written"] + used.written,
        )


def inside(work: Callable[[], object]) -> Sample:
    """Measure work of this process."""
    os.sync()
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    return Sample(time.perf_counter() - begin, time.process_time() - cpu)


def reason_of(error: Exception) -> str:
    """Say in one line why something can't be had, without the folders of this machine."""
    text = error.stderr.strip() if isinstance(error, CommandError) else str(error)
    line = (text or str(error)).splitlines()[-1]
    start = "can't be had" if isinstance(error, EngineUnavailableError) else "failed"
    return f"{start}: {re.sub(r'(/[^/ :]+)+/', '', line)[:200]}"


@dataclass(frozen=True)
class _Used:
    cpu: float = 0
    read: int = 0
    written: int = 0

    @classmethod
    def of(cls, helper: Helper | None) -> _Used:
        """Add up what a server and all below it have used so far, ended children included."""
        cpu, read, written = 0.0, 0, 0
        for pid in _family(helper.pid) if helper else []:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                cpu += sum(map(int, fields[11:15])) / TICKS
                more = launch.bytes_of(pid)
                read, written = read + more[0], written + more[1]
        return cls(cpu, read, written)

    def since(self, before: _Used) -> _Used:
        return _Used(self.cpu - before.cpu, self.read - before.read, self.written - before.written)


def _family(first: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = [first]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


@dataclass
class _Watch:
    """Looks at temporary folders from time to time while a command runs."""

    pid: int
    folders: Sequence[Path]
    most: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.start = self._now()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _look(self) -> None:
        pause = 0.0
        while not self.done.wait(pause):
            begin = time.thread_time()
            self.most = max(self.most, self._now() - self.start)
            pause = max(0.02, (time.thread_time() - begin) / WATCHING)

    def _now(self) -> int:
        named = sum(_blocks_below(folder) for folder in self.folders)
        seen: dict[tuple[int, int], int] = {}
        for pid in _family(self.pid):
            with contextlib.suppress(OSError):
                for entry in os.scandir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        facts = entry.stat()
                        if not facts.st_nlink and stat.S_ISREG(facts.st_mode):
                            seen[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
        return named + sum(seen.values())


def _blocks_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{parent}/{name}").st_blocks * 512
    return total


def versions(commands: Mapping[str, Sequence[str | Path]]) -> dict[str, Any]:
    """Ask programs for their versions; those that are not there are left out."""
    found = {}
    for name, command in commands.items():
        with contextlib.suppress(OSError):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            number = re.search(r"\d+\.\d+[\w.+~-]*", done.stdout + done.stderr)
            found[name] = number[0] if number else "?"
    return found
