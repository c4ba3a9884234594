"""The quick start of the command that tests use is the command."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import COMMAND, environment
from tests.support.warm import warm_command


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["layers", "app.tar", "--json"], {}),
        (["layers", "-"], {}),
        (["layers", b"\xff.tar"], {}),
        (["layers", "app.tar"], {"NO_COLOR": "1", "COLUMNS": "60"}),
        (["layers", "app.tar"], {"LC_ALL": "C", "PYTHONUTF8": "0"}),
        (["--no-such-option"], {"PYTHONUNBUFFERED": "1"}),
    ],
)
def test_it_does_what_the_command_does(
    app: str, arguments: list[str | bytes], more: dict[str, str], work: Path, tmp: Path
) -> None:
    """The same exit code and bytes, from the same folder, variables and standard input."""
    archive = Path(app.partition(":")[2]).read_bytes()

    def ran(command: Path) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            [command, *arguments],
            input=archive,
            capture_output=True,
            cwd=work,
            env=environment(tmp, more),
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    assert ran(warm_command()) == ran(COMMAND)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the command itself is started")
def test_it_ends_with_who_started_it(work: Path, tmp: Path) -> None:
    """Nothing goes on reading where a test gave up."""
    reading, writing = os.pipe()
    with subprocess.Popen(
        [warm_command(), "layers", "-"], stdin=reading, cwd=work, env=environment(tmp)
    ) as started:
        os.close(reading)
        started.send_signal(signal.SIGKILL)
    with pytest.raises(BrokenPipeError), os.fdopen(writing, "wb", 0) as pipe:
        pipe.writelines(itertools.repeat(bytes(1 << 16)))
