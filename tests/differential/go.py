"""Build a small Go program of ours and talk to it: one request in, one line of JSON out."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.engines.tools import Tool

__all__ = ["GoProgram", "build", "running"]


class GoProgram:
    """A running program that answers each request (length and bytes) with a line of JSON."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, request: bytes) -> Any:  # noqa: ANN401 - whatever the program answers
        """Return the answer to one request."""
        to, answers = self._process.stdin, self._process.stdout
        assert to is not None
        assert answers is not None
        to.write(len(request).to_bytes(8, "big") + request)
        to.flush()
        line = answers.readline()
        assert line, "the Go program ended"
        return json.loads(line)


def build(go: Tool, source: Path, folder: Path) -> Path:
    """Build a program that is one file and uses the standard library alone."""
    go("build", "-o", str(folder / source.stem), str(source))
    return folder / source.stem


@contextlib.contextmanager
def running(binary: Path) -> Iterator[GoProgram]:
    """Run a program; it ends with its input."""
    with subprocess.Popen(
        [str(binary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1
    ) as process:
        yield GoProgram(process)
