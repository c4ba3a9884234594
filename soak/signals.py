"""No signal is lost: lamella is asked to end, once, at any moment, whatever it waits for.

Each run is against somebody who keeps it waiting. It must end soon, with exit code 130 and one
line, and leave nothing behind; or as the system ends it, if lamella had not begun yet. The first
run of a round starts as a user starts it, the others are forks: they are at work at once.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing.context import ForkProcess
from pathlib import Path

from soak.forked import Start, started, wait
from soak.harness import Harness, Round
from tests.cli.running import environment
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import layer

__all__ = ["HARNESS", "SITUATIONS", "signalled"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALS_A_ROUND = 24
_LATEST = 1.5
_SOON = 2.0
_INTERRUPTED = 130
_LINE = "lamella: interrupted; nothing was left behind"
_DONE = "lamella: interrupted; the new image was written before"
_BEGUN = re.compile(r'cli/main\.py", line \d+, in main')
_NOISE = random.Random(1).randbytes(3 << 20)
_HALF = 2 << 20
"""Bytes of the archive that come, where its end does not."""
_PING = (
    b"HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 2\r\n\r\nOK"
)


@dataclass
class Waiting:
    """What lamella is started with, and what it leaves alone."""

    work: Path
    stack: ExitStack
    arguments: list[str] = field(default_factory=list)
    stdin: int = subprocess.DEVNULL
    stdout: int = subprocess.DEVNULL
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        """An image of three layers, in a file."""
        path = self.work / "app.tar"
        if not path.exists():
            path.write_bytes(_archive())
        return path


@cache
def _archive() -> bytes:
    return docker_archive(layer(("a", b"one")), layer(("noise", _NOISE)), layer(("a", b"two")))


@contextmanager
def _listening(serve: Callable[[socket.socket], None], unix: Path | None) -> Iterator[str]:
    """Serve each who comes in a thread; return where."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX if unix else socket.AF_INET))
        server.bind(str(unix) if unix else ("127.0.0.1", 0))
        server.listen()
        taken: list[socket.socket] = []

        def run() -> None:
            with suppress(OSError):
                while True:
                    other, _ = server.accept()
                    taken.append(other)
                    threading.Thread(target=quietly, args=(other,), daemon=True).start()

        def quietly(other: socket.socket) -> None:
            with suppress(OSError):
                serve(other)

        threading.Thread(target=run, daemon=True).start()
        try:
            yield f"unix://{unix}" if unix else f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            for other in taken:
                other.close()


def _silent(other: socket.socket) -> None:
    """Take everything, say nothing."""
    while other.recv(1 << 16):
        pass


def _answering(other: socket.socket) -> None:
    """Answer that it is there, and nothing else."""
    other.recv(1 << 16)
    other.sendall(_PING)
    _silent(other)


def _stalling(other: socket.socket) -> None:
    """Be there, know each image, and stop in the midst of an answer."""
    other.recv(1 << 16)
    other.sendall(_PING)
    while other.recv(1 << 16):
        other.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n[")


def _deaf(other: socket.socket) -> None:
    """Be there, and then neither read nor write."""
    other.recv(1 << 16)
    other.sendall(_PING)
    time.sleep(60)


def stalled_stdin(at: Waiting) -> None:
    """Read an archive that does not come to its end."""
    command = ["sh", "-c", f'head -c {_HALF} "$0"; exec sleep 60', str(at.archive)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE)
    at.stack.callback(_end, writer)
    assert writer.stdout is not None
    at.stack.callback(writer.stdout.close)
    at.stdin = writer.stdout.fileno()
    at.arguments = ["squash", "-", "-o", f"oci:{at.work}/new"]


def stalled_stdout(at: Waiting) -> None:
    """Write an archive that nobody reads."""
    reading = subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE)
    at.stack.callback(_end, reading)
    assert reading.stdin is not None
    at.stack.callback(reading.stdin.close)
    at.stdout = reading.stdin.fileno()
    at.arguments = ["squash", str(at.archive), "-o", "-"]


def silent_registry(at: Waiting) -> None:
    """Read from a registry that says nothing."""
    host = at.stack.enter_context(_listening(_silent, None))
    at.arguments = ["squash", f"docker://{host}/app:1", "-t", "new:1"]


def silent_destination(at: Waiting) -> None:
    """Write to a registry that says nothing."""
    host = at.stack.enter_context(_listening(_silent, None))
    at.arguments = ["squash", str(at.archive), "-o", f"docker://{host}/app:1"]


def silent_platforms(at: Waiting) -> None:
    """Read all platforms from a registry that says nothing."""
    silent_registry(at)
    at.arguments += ["--platform", "all"]


def silent_helper(at: Waiting) -> None:
    """Ask a credential helper that says nothing."""
    helper = at.work / "bin" / "docker-credential-mute"
    helper.parent.mkdir()
    helper.write_text("#!/bin/sh\nexec sleep 60\n")
    helper.chmod(0o755)
    (at.work / "config.json").write_text('{"credsStore": "mute"}')
    host = at.stack.enter_context(_listening(_refusing, None))
    path = environment(at.work).get("PATH", "")
    at.variables = {"PATH": f"{helper.parent}:{path}", "DOCKER_CONFIG": str(at.work)}
    at.arguments = ["squash", f"docker://{host}/app:1", "-t", "new:1"]


def _refusing(other: socket.socket) -> None:
    """Want a login."""
    while other.recv(1 << 16):
        other.sendall(
            b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\n'
            b"Content-Length: 0\r\n\r\n"
        )


def _engine(at: Waiting, serve: Callable[[socket.socket], None]) -> None:
    url = at.stack.enter_context(_listening(serve, at.work / "engine.sock"))
    at.variables = {"DOCKER_HOST": url}
    at.arguments = ["squash", "docker-daemon:app:1", "-t", "new:1"]


def silent_engine(at: Waiting) -> None:
    """Ask an engine that says nothing."""
    _engine(at, _silent)


def idle_engine(at: Waiting) -> None:
    """Ask an engine that says no more than that it is there."""
    _engine(at, _answering)


def stalling_engine(at: Waiting) -> None:
    """Read an answer of an engine that does not come to its end."""
    _engine(at, _stalling)


def deaf_engine(at: Waiting) -> None:
    """Load an image into an engine that does not read it."""
    _engine(at, _deaf)
    at.arguments = ["squash", str(at.archive), "-o", "docker-daemon:new:1"]


def layers_of_stdin(at: Waiting) -> None:
    """List the layers of an archive that does not come to its end, with progress shown."""
    stalled_stdin(at)
    at.arguments = ["layers", "-", "--dead", "--progress", "plain"]


def work_alone(at: Waiting) -> None:
    """Write an image to a file: the signal comes at any moment of the work, or after it."""
    at.arguments = ["squash", str(at.archive), "-o", f"oci-archive:{at.work}/new.tar"]


SITUATIONS: tuple[Callable[[Waiting], None], ...] = (
    stalled_stdin,
    stalled_stdout,
    silent_registry,
    silent_destination,
    silent_platforms,
    silent_helper,
    silent_engine,
    idle_engine,
    stalling_engine,
    deaf_engine,
    layers_of_stdin,
    work_alone,
)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _run(seed: int, kept: Path) -> Round:
    """Ask so many runs to end."""
    del kept
    found = Round(_SIGNALS_A_ROUND, [], [])
    for number in range(seed * _SIGNALS_A_ROUND, (seed + 1) * _SIGNALS_A_ROUND):
        if wrong := signalled(number, forked=number % _SIGNALS_A_ROUND > 0):
            found.findings.append(wrong)
    return found


def signalled(seed: int, *, forked: bool) -> str | None:
    """Ask one run to end; return what was wrong."""
    chance = random.Random(seed)
    situation = SITUATIONS[seed % len(SITUATIONS)]
    number, after = chance.choice(_SIGNALS), chance.uniform(0, _LATEST)
    with tempfile.TemporaryDirectory(prefix="soak-signals-") as folder, ExitStack() as stack:
        work, tmp = Path(folder) / "work", Path(folder) / "tmp"
        work.mkdir()
        tmp.mkdir()
        at = Waiting(work, stack)
        situation(at)
        before = sorted(p.name for p in work.iterdir())
        found = _ask(_start(at, Path(folder), forked=forked), number, after)
        left = {p.name for p in work.iterdir()} - set(before) | {p.name for p in tmp.iterdir()}
    if left and not (found is None and left <= {"new.tar"}):
        found = f"{found or ''} left behind: {sorted(left)}"
    name = f"number {seed}: {situation.__name__}, {number.name} after {after:.3f} s"
    return f"{name}: {found}" if found else None


@dataclass
class Asked:
    """A run of lamella, however it was started."""

    pid: int
    wait: Callable[[float], int | None]
    """Wait at most so many seconds; return the exit code."""
    errors: Path
    """What it said."""


def _start(at: Waiting, folder: Path, *, forked: bool) -> Asked:
    """Start lamella; it is killed with the stack."""
    tmp, errors = folder / "tmp", folder / "errors"
    env = environment(tmp, {"HOME": str(tmp), "XDG_CACHE_HOME": str(tmp), **at.variables})
    if forked:
        stdin, stdout = (None if n == subprocess.DEVNULL else n for n in (at.stdin, at.stdout))
        fork = started(Start(at.arguments, env, errors, stdin, stdout))
        at.stack.callback(_end_fork, fork)
        return Asked(_pid(fork), partial(wait, fork), errors)
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "lamella", *at.arguments],
            stdin=at.stdin,
            stdout=at.stdout,
            stderr=file,
            env=env,
        )
    at.stack.callback(_end, process)
    return Asked(process.pid, partial(_wait, process), errors)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    with suppress(subprocess.TimeoutExpired):
        return process.wait(seconds)
    return None


def _pid(fork: ForkProcess) -> int:
    assert fork.pid is not None
    return fork.pid


def _end_fork(fork: ForkProcess) -> None:
    fork.kill()
    fork.join()


def _ask(run: Asked, number: signal.Signals, after: float) -> str | None:
    """Ask it to end; return what was wrong."""
    ended_before = run.wait(after) is not None
    asked = time.monotonic()
    if not ended_before:
        os.kill(run.pid, number)
    code = run.wait(patience(10 * _SOON))
    if code is None:
        return "it does not end"
    took, said = time.monotonic() - asked, run.errors.read_text(errors="replace")
    return _judge(code, said, took, number, ended_before=ended_before)


def _judge(
    code: int, said: str, took: float, number: signal.Signals, *, ended_before: bool
) -> str | None:
    """Say what is wrong with how it ended."""
    late = took - patience(_SOON)
    if late > 0 and late > _load():  # which takes a while itself
        return f"it took {took:.1f} s"
    early = number == signal.SIGINT and "Interrupt" in said and not _BEGUN.search(said)
    if code == -number or early:
        return None  # before lamella had begun: Python itself shows a traceback then
    if code == 0 or (ended_before and code in {1, 2, 5, 7}):
        return None  # all was done
    last = said.splitlines()[-1:]
    if code != _INTERRUPTED or last not in ([_LINE], [_DONE]) or "Traceback" in said:
        return f"exit code {code}, {said[-2000:]!r}"
    return None


def _load() -> float:
    """Return seconds that a machine with other work may take longer: to start Python, say."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "import click, json"], check=False)
    return 3 * (time.monotonic() - start)


HARNESS = Harness("signals", "signals", _run, processes=4)
