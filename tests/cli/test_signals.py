"""Interrupted at work: exit 130, one line, and everything as it was before."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tests.cli.running import start
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import layer
from tests.transport.forms import TARS, layout_of, state_of, to_file

pytestmark = pytest.mark.slow

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
NOISE = random.Random(1).randbytes(24 << 20)  # nothing compresses it, and zstd tries for long
PIPE = 1 << 16

Process = subprocess.Popen[bytes]


def pipe_of(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a stream that was asked for."""
    assert stream is not None
    return stream


def assert_interrupted(process: Process, tmp: Path) -> None:
    """Check how it ended, and that TMPDIR is empty."""
    err = pipe_of(process.stderr).read().decode()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    assert process.wait(patience(60)) == 130, err
    assert err.splitlines()[-1] == "lamella: interrupted; nothing was left behind"
    assert "Traceback" not in err
    assert list(tmp.iterdir()) == []


def until_line(process: Process, wanted: str) -> None:
    """Read what it says until it says that."""
    for line in pipe_of(process.stderr):
        if line.decode().strip() == wanted:
            return
    pytest.fail(f"it never came to {wanted!r}")


def existing_archive(work: Path) -> str:
    """Name an output that is there already."""
    return f"docker-archive:{to_file(work / 'new.tar', b'as it was')}"


def existing_layout(work: Path) -> str:
    """Name a layout that has an image already."""
    return f"oci:{layout_of().write(work / 'new')}"


def nothing_yet(work: Path) -> str:
    """Name a layout that is not there."""
    return f"oci:{work}/new"


@pytest.mark.parametrize("output", [existing_archive, existing_layout, nothing_yet])
@pytest.mark.parametrize("number", SIGNALS)
def test_while_reading(
    work: Path, tmp: Path, number: signal.Signals, output: Callable[[Path], str]
) -> None:
    """A pipe that is held open: more than it holds was taken, so lamella is reading it."""
    archive = docker_archive(layer(("noise", NOISE[: 1 << 20])), *TARS)
    target = output(work)
    before = state_of(work)
    process = start("squash", "-", "-o", target, tmp=tmp, stdin=subprocess.PIPE)
    stdin = pipe_of(process.stdin)
    stdin.write(archive[: len(archive) // 2])
    stdin.flush()
    process.send_signal(number)
    assert_interrupted(process, tmp)
    assert state_of(work) == before


@pytest.mark.parametrize("output", [existing_layout, nothing_yet])
@pytest.mark.parametrize("number", SIGNALS)
def test_while_writing_a_layer(
    work: Path, tmp: Path, number: signal.Signals, output: Callable[[Path], str]
) -> None:
    """A layer that takes long to compress."""
    source = to_file(work / "app.tar", docker_archive(*TARS, layer(("noise", NOISE))))
    options = ["-o", output(work), "--compression", "zstd:22", "--progress", "plain"]
    before = state_of(work)
    process = start("squash", source, "#1", *options, tmp=tmp)
    until_line(process, "write the merged layer")
    process.send_signal(number)
    assert_interrupted(process, tmp)
    assert state_of(work) == before


def test_while_writing_a_compressed_archive(work: Path, tmp: Path) -> None:
    """What was written goes, the target stays."""
    source = to_file(work / "app.tar", docker_archive(*TARS, layer(("noise", NOISE))))
    target = to_file(work / "new.tar", b"as it was")
    options = ["-o", f"oci-archive:{target}", "--compression", "zstd:22", "--progress", "plain"]
    before = state_of(work)
    process = start("squash", source, *options, tmp=tmp)
    until_line(process, "write the merged layer")
    process.send_signal(signal.SIGTERM)
    assert_interrupted(process, tmp)
    assert state_of(work) == before


@pytest.mark.parametrize("number", SIGNALS)
def test_while_writing_to_a_pipe(work: Path, tmp: Path, number: signal.Signals) -> None:
    """A reader that has read a little and then stopped."""
    source = to_file(work / "app.tar", docker_archive(*TARS, layer(("noise", NOISE[: 1 << 21]))))
    process = start("squash", source, "-o", "-", tmp=tmp, stdout=subprocess.PIPE)
    assert pipe_of(process.stdout).read(PIPE)
    process.send_signal(number)
    assert_interrupted(process, tmp)
    assert list(state_of(work)) == ["app.tar"]


def test_asked_twice_still_cleans_up(work: Path, tmp: Path) -> None:
    """Who is impatient gets the same end."""
    target = existing_archive(work)
    before = state_of(work)
    process = start("squash", "-", "-o", target, tmp=tmp, stdin=subprocess.PIPE)
    stdin = pipe_of(process.stdin)
    stdin.write(docker_archive(layer(("noise", NOISE[: 8 * PIPE])))[: 4 * PIPE])
    stdin.flush()
    for _ in range(5):
        process.send_signal(signal.SIGTERM)
    assert_interrupted(process, tmp)
    assert state_of(work) == before


def test_hangup_that_is_ignored_stays_so(work: Path, tmp: Path) -> None:
    """Under nohup the work goes on."""
    archive = docker_archive(*TARS)
    process = start(
        *("squash", "-", "-o", f"docker-archive:{work}/new.tar"),
        tmp=tmp,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    stdin = pipe_of(process.stdin)
    stdin.write(archive[:1024])
    stdin.flush()
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(archive[1024:], timeout=patience(60))
    assert process.returncode == 0
    assert out.startswith(b"sha256:")
