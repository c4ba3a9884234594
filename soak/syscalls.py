"""Failing system calls: with a full disk or a broken one, nothing is lost and nothing half is told.

lamella runs under strace, which lets one call of a kind fail: the third `write`, say. Then either
it ends well and the new image is whole, or it says in a line what failed. In both cases what was
there before is still there.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import lamella
from soak.forked import Start, started, wait
from soak.harness import Harness, Round
from tests.cli.running import environment
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import entry, layer
from tests.transport.forms import layout_of, state_of

__all__ = ["HARNESS"]

_State = dict[str, bytes | None]

_FAILURES = 50
_SECONDS = 60
_CALLS = {
    "write": 37,
    "pwrite64": 4,
    "read": 10,
    "pread64": 23,
    "preadv2": 4,
    "fsync": 9,
    "linkat": 6,
    "renameat": 2,
    "rename": 2,
    "mkdirat": 3,
    "unlink": 2,
    "unlinkat": 4,
    "copy_file_range": 2,
    "flock": 9,
    "fstatfs": 3,
    "statfs": 3,
    "lseek": 15,
    "openat": 37,
    "newfstatat": 77,
    "getdents64": 4,
    "fcntl": 6,
    "mmap": 14,
    "clone3": 5,
}
"""How many there are of each in a run, about. Nothing fails where there are fewer."""
_ERRORS = ("ENOSPC", "EIO", "EDQUOT", "ENOMEM", "EACCES", "EINTR", "EMFILE")
_WRITTEN = ("it was written, but the disk did not confirm it", "the new image was written before")
_NO_THREAD = "Exception ignored in thread started by"
"""Python's own: who starts a thread waits for ever for one that had no memory to begin."""
_TARS = (
    layer(("etc/passwd", b"root"), ("big", b"b" * 300_000)),
    layer(entry("app/one", b"1" * 200_000)),
    layer(entry("app/two", b"2" * 100_000), entry("app/.wh.one")),
)


def _run(seed: int, folder: Path) -> Round:
    """Let so many calls fail, each in a run of its own."""
    del folder  # the seed and the number say all
    found = Round(_FAILURES, [], [])
    for number in range(_FAILURES):
        chance = random.Random(f"{seed}.{number}")
        call = chance.choice(list(_CALLS))
        failure = f"{call}:error={chance.choice(_ERRORS)}:when={chance.randint(1, _CALLS[call])}"
        form = chance.choice(["oci", "oci-archive", "docker-archive", "oci-archive+zstd"])
        if wrong := _check(form, failure):
            found.findings.append(f"{form}, inject={failure}: {wrong}"[:1000])
    return found


def _check(form: str, failure: str) -> str:
    """Squash while one call fails; return what is wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="soak-syscalls-") as where:
        work, tmp = Path(where, "work"), Path(where, "tmp")
        work.mkdir()
        tmp.mkdir()
        source, target = work / "in.tar", work / "out"
        source.write_bytes(docker_archive(*_TARS))
        transport, _, compression = form.partition("+")
        if transport == "oci":
            layout_of(tag="before").write(target)
        else:
            target.write_bytes(b"as it was")
        before = state_of(work)
        output = f"{transport}:{target}" + (":new" if transport == "oci" else "")
        more = ["--compression", compression] if compression else []
        code, said = _squash([str(source), "#1", "-o", output, *more], Path(where), failure)
        after, left = state_of(work), _left(tmp, failure)
        if code == 0 or any(words in said for words in _WRITTEN):
            wrong = [str(one) for one in lamella.verify(str(source), output)]
            lost = [name for name in before if name not in after]
            return f"it was written: lost {lost}, {wrong}" if lost or wrong else left
        if code is None and _NO_THREAD not in said:
            return f"it hangs; it said {said[-600:]!r}"
        if code is None:
            return ""
        return _judge_error(f"exit code {code}", said, before, after) or left


def _squash(arguments: list[str], where: Path, failure: str) -> tuple[int | None, str]:
    """Return the exit code, None if it hangs, and what it said."""
    name, errors = failure.partition(":")[0], where / "errors"
    command = ["squash", "--progress", "none", *arguments]
    process = started(Start(command, environment(where / "tmp"), errors, held=True))
    tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}"]
    strace = subprocess.Popen([*tracer, "-e", f"inject={failure}", "-p", str(process.pid)])
    try:
        _let_go_when_traced(process.pid, strace)
        code = wait(process, patience(_SECONDS))
        return code, errors.read_text(errors="replace")
    finally:
        process.kill()
        process.join()
        strace.wait()


def _let_go_when_traced(pid: int | None, strace: subprocess.Popen[bytes]) -> None:
    assert pid is not None
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text(encoding="ascii"):
        assert strace.poll() is None, "strace can't trace it"
        time.sleep(0.002)
    os.kill(pid, signal.SIGUSR1)


def _judge_error(code: str, said: str, before: _State, after: _State) -> str:
    """Say what is wrong with how it failed."""
    if not said.startswith("lamella: ") or said.count("\n") != 1 or "unexpected" in said:
        return f"{code}, {said[-600:]!r}"
    changed = [name for name in before if after.get(name) != before[name]]
    more = [name for name in after if name not in before]
    if changed or (more and "can't be removed" not in said):
        return f"it failed ({said!r}) and changed {changed}, left {more}"
    return ""


def _left(tmp: Path, failure: str) -> str:
    left = sorted(path.name for path in tmp.iterdir())
    if failure.startswith("unlink") and len(left) == 1:  # what could not be removed
        return ""
    return f"left in TMPDIR: {left}" if left else ""


HARNESS = Harness("syscalls", "failures", _run, processes=2)
