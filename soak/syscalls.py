"""Failing system calls: with a full disk or a broken one, nothing is lost and nothing half is told.

A round runs lamella under strace, which lets one call of a kind fail: the third `write`, say. Then
either it ends well and the new image is whole, or it says in a line what failed. In both cases what
was there before is still there.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

import lamella
from soak.harness import Harness, Round
from tests.cli.running import environment
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import entry, layer
from tests.transport.forms import layout_of, state_of

__all__ = ["HARNESS"]

_State = dict[str, bytes | None]

_FAILURES = 10
_SECONDS = 60
_CALLS = {
    "write": 25,
    "pwrite64": 3,
    "pread64": 45,
    "preadv2": 12,
    "fsync": 12,
    "linkat": 8,
    "renameat2": 2,
    "renameat": 2,
    "rename": 2,
    "mkdirat": 4,
    "unlinkat": 4,
    "ftruncate": 2,
    "copy_file_range": 8,
    "flock": 3,
    "fstatfs": 2,
    "openat": 360,
    "clone3": 4,
}
"""How many there are of each in a run, about. Nothing fails where there are fewer."""
_ERRORS = ("ENOSPC", "EIO", "EDQUOT", "ENOMEM", "EACCES", "EINTR", "EMFILE")
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
        code, said = _squash([str(source), "#1", "-o", output, *more], tmp, failure)
        after = state_of(work)
        if code == 0:
            wrong = [str(one) for one in lamella.verify(str(source), output)]
            lost = [name for name in before if name not in after]
            return f"it told success: lost {lost}, {wrong}" if lost or wrong else _left(tmp)
        return _judge_error(f"exit code {code}", said, before, after) or _left(tmp)


def _squash(arguments: list[str], tmp: Path, failure: str) -> tuple[int, str]:
    name = failure.partition(":")[0]
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}"]
    command = [sys.executable, "-m", "lamella", "squash", "--progress", "none", *arguments]
    done = subprocess.run(
        [*strace, "-e", f"inject={failure}", *command],
        env=environment(tmp, {"PYTHONDONTWRITEBYTECODE": "1"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=patience(_SECONDS),
    )
    return done.returncode, done.stderr.decode(errors="replace")


def _judge_error(code: str, said: str, before: _State, after: _State) -> str:
    """Say what is wrong with how it failed."""
    if not _begun(said):
        return ""  # Python itself could not start
    if not said.startswith("lamella: ") or said.count("\n") != 1 or "unexpected" in said:
        return f"{code}, {said[-600:]!r}"
    changed = [name for name in before if after.get(name) != before[name]]
    more = [name for name in after if name not in before]
    if changed or (more and "can't be removed" not in said):
        return f"it failed ({said!r}) and changed {changed}, left {more}"
    return ""


def _begun(said: str) -> bool:
    """Whether lamella's own code was reached."""
    return "lamella: " in said or "lamella/cli/main.py" in said


def _left(tmp: Path) -> str:
    left = sorted(path.name for path in tmp.iterdir())
    return f"left in TMPDIR: {left}" if left else ""


HARNESS = Harness("syscalls", "failures", _run, processes=2)
