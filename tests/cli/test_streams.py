"""Pipes: images in and out, readers that go away, files that can't be sought in."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.cli.running import COMMAND, Ran, run, start
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import layer
from tests.transport.forms import TARS, compress, layout_of, state_of, to_file, validate_archive

BIG = docker_archive(layer(("a", b"a" * 300_000)), layer(("b", b"b" * 300_000)))


def test_archive_goes_through(lamella: Lamella, work: Path) -> None:
    """`docker save app | lamella squash - | docker load`: nothing but the archive on stdout."""
    for arguments in (["-"], ["-", "-o", "-"], ["docker-archive:-", "-o", "docker-archive:-:a:1"]):
        ran = lamella("squash", *arguments, stdin=docker_archive(*TARS)).worked()
        (work / "out.tar").write_bytes(ran.out)
        assert len(validate_archive(work / "out.tar")["rootfs"]["diff_ids"]) == 1
        assert "3 → 1" in ran.err


def test_oci_archive_goes_through(lamella: Lamella, app: str, work: Path) -> None:
    """In and out; it is the same as one written to a file."""
    ran = lamella("squash", app, "-o", "oci-archive:-").worked()
    lamella("squash", app, "-o", f"oci-archive:{work}/out.tar").worked()
    assert ran.out == (work / "out.tar").read_bytes()
    assert lamella("layers", "-m", "-", stdin=ran.out).worked().out
    assert lamella("layers", "-m", "oci-archive:-", stdin=layout_of().tar()).worked().out


def test_id_is_not_mixed_into_the_archive(lamella: Lamella, app: str) -> None:
    """The tag of a stream changes nothing about that."""
    ran = lamella("squash", app, "-o", "docker-archive:-:new/name:1").worked()
    assert ran.out.endswith(bytes(1024))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz", "bzip2"])
def test_compressed_archive_comes_through_a_pipe(lamella: Lamella, compression: str) -> None:
    """`zstdcat` is not needed."""
    packed = compress(compression, docker_archive(*TARS))
    assert lamella("layers", "-m", "-", stdin=packed).worked().out


def test_file_on_stdin_is_read_in_place(work: Path, tmp: Path) -> None:
    """`lamella layers - < app.tar` needs no room in TMPDIR."""
    name = to_file(work / "app.tar", docker_archive(*TARS))
    limit = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh")  # not a byte can be written to a file
    with Path(name).open("rb") as file:
        done = subprocess.run(
            [*limit, COMMAND, "layers", "-m", "-"],
            stdin=file,
            capture_output=True,
            check=False,
            env={**os.environ, "TMPDIR": str(tmp)},
        )
    Ran(done.returncode, done.stdout, done.stderr.decode()).worked()
    assert len(done.stdout.split()) == 3


def test_named_pipe_is_no_empty_file(work: Path, tmp: Path) -> None:
    """`lamella layers <(docker save app)`: a pipe with a name."""
    os.mkfifo(work / "pipe")
    writer = threading.Thread(target=(work / "pipe").write_bytes, args=[docker_archive(*TARS)])
    writer.start()
    ran = run("layers", "-m", f"docker-archive:{work}/pipe", tmp=tmp).worked()
    writer.join()
    assert len(ran.out.split()) == 3


def test_output_may_be_a_named_pipe(app: str, work: Path, tmp: Path) -> None:
    """It is written to, not replaced."""
    os.mkfifo(work / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((work / "pipe").read_bytes()))
    reader.start()
    run("squash", app, "-o", f"docker-archive:{work}/pipe", tmp=tmp).worked()
    reader.join()
    assert found[0] == run("squash", app, "-o", "-", tmp=tmp).worked().out
    assert (work / "pipe").is_fifo()


@pytest.mark.parametrize("form", ["-", "oci-archive:-"])
def test_reader_that_goes_away_is_told_in_one_line(work: Path, tmp: Path, form: str) -> None:
    """`lamella squash … -o - | head -c 10`: exit 1, no traceback."""
    name = to_file(work / "big.tar", BIG)
    process = start("squash", name, "-o", form, tmp=tmp, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert len(process.stdout.read(10)) == 10
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read().decode()
    process.stderr.close()
    Ran(process.wait(patience(60)), b"", err).failed(1, "the reader closed the pipe")
    assert list(state_of(work)) == ["big.tar"]


@pytest.mark.parametrize(
    "arguments",
    [["layers", "-d"], ["layers", "--json"], ["squash", "--dry-run", "--json"], ["--help"]],
)
def test_reader_of_text_may_go_away(app: str, tmp: Path, arguments: list[str]) -> None:
    """`lamella layers … | head -n 0`: nothing to complain about."""
    ours, theirs = os.pipe()
    os.close(ours)
    more = [] if arguments == ["--help"] else [app]
    with start(*arguments, *more, tmp=tmp, stdout=theirs) as process:
        os.close(theirs)
        _, err = process.communicate(timeout=patience(60))
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err
    assert b"unexpected" not in err


@pytest.mark.parametrize("quiet", [[], ["-q"]])
@pytest.mark.parametrize("command", [["layers"], ["verify"], ["squash", "--dry-run", "--json"]])
def test_full_disk_behind_stdout_is_told(
    app: str, work: Path, tmp: Path, command: list[str], quiet: list[str]
) -> None:
    """A result that could not be written is a failure."""
    other = [to_file(work / "other.tar", docker_archive(*TARS[:2]))]
    images = [app, *(other if command == ["verify"] else [])]
    with Path("/dev/full").open("wb") as full:
        process = start(*command, *images, *quiet, tmp=tmp, stdout=full)
        _, err = process.communicate(timeout=patience(60))
    last = err.decode().splitlines()[-1]
    said = "lamella: can't write standard output: No space left on device"
    assert (process.returncode, last) == (1, said)
    assert b"Exception ignored" not in err


def test_image_is_there_though_stdout_is_full(app: str, work: Path, tmp: Path) -> None:
    """The message says so: whoever runs it again would squash twice."""
    with Path("/dev/full").open("wb") as full:
        process = start("squash", app, "-o", f"oci:{work}/new", "--json", tmp=tmp, stdout=full)
        _, err = process.communicate(timeout=patience(60))
    assert process.returncode == 1
    assert err.endswith(b"No space left on device; the new image was already written\n")
    assert (work / "new" / "index.json").exists()


def test_full_standard_error_stops_nothing(app: str, work: Path, tmp: Path) -> None:
    """Nobody can be told what was done, but it is done."""
    with Path("/dev/full").open("wb") as full:
        process = start("squash", app, "-o", f"oci:{work}/new", tmp=tmp, stderr=full)
        assert process.wait(timeout=patience(60)) == 0
    assert (work / "new" / "index.json").exists()


@pytest.mark.parametrize("arguments", [["layers"], ["squash", "-o", "docker-archive:new.tar"]])
def test_closed_stdout_is_no_crash(app: str, work: Path, tmp: Path, arguments: list[str]) -> None:
    """`lamella … >&-`, as some job runners start it."""
    closed = ("sh", "-c", 'exec "$@" <&- >&-', "sh")
    run(*arguments, app, tmp=tmp, cwd=work, before=closed).worked()


def test_archive_to_a_closed_stdout_is_refused(app: str, tmp: Path) -> None:
    """There is nowhere to write it."""
    closed = ("sh", "-c", 'exec "$@" >&-', "sh")
    run("squash", app, "-o", "-", tmp=tmp, before=closed).failed(1, "closed")
