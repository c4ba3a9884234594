"""What the tests of the command line can ask for."""

from __future__ import annotations

import io
import math
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lamella.cli import progress
from lamella.cli.main import main
from tests.cli.running import SETTINGS, Ran, environment
from tests.cli.waste import LAYERS, STEPS
from tests.support.images import docker_archive, made_by
from tests.transport.forms import TARS

Lamella = Callable[..., Ran]


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    """A folder for temporary files, apart from the test's own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder for images."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def app(work: Path) -> str:
    """A docker-archive of three layers, as a reference."""
    steps = made_by("FROM scratch", "(ENV A=b)", "RUN change", "RUN add")
    path = work / "app.tar"
    path.write_bytes(docker_archive(*TARS, tags=["app:latest"], history=steps))
    return f"docker-archive:{path}"


@pytest.fixture
def image(work: Path) -> str:
    """A docker-archive with waste of every kind."""
    path = work / "waste.tar"
    path.write_bytes(docker_archive(*LAYERS, tags=["waste:1"], history=STEPS))
    return f"docker-archive:{path}"


@pytest.fixture
def in_work(work: Path, image: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, named from the folder it is in, which is the working folder."""
    monkeypatch.chdir(work)
    return Path(image).name


def _signals() -> list[object]:
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM")
    handlers: list[object] = [signal.getsignal(getattr(signal, name)) for name in names]
    return [*handlers, signal.getitimer(signal.ITIMER_REAL)[0] > 0, sys.unraisablehook]


@pytest.fixture
def lamella(
    tmp: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Lamella:
    """Call the command in this process: `lamella("squash", …, stdin=…, env=…)`.

    What signals do there stays as it is: only the program itself takes them.
    """

    def call(*args: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ran:
        with monkeypatch.context() as patch:
            wanted = environment(tmp, env)
            for name in environment(tmp).keys() | SETTINGS:
                patch.delenv(name, raising=False)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.setattr(tempfile, "tempdir", str(tmp))
            # Progress is shown of what takes long, which must not depend on the machine.
            patch.setattr(progress, "_QUIET_SECONDS", math.inf)
            patch.setattr(progress, "_LOG_SECONDS", math.inf)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            capfdbinary.readouterr()
            before = _signals()
            code = main(args)
            assert _signals() == before
            out, err = capfdbinary.readouterr()
        assert list(tmp.iterdir()) == []
        return Ran(code, out, err.decode())

    return call
