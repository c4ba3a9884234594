"""Build a small Go program of ours and talk to it: one request in, one line of JSON out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["GoProgram", "go_program", "has_go"]

_OFFLINE = {"GO111MODULE": "off", "GOFLAGS": "", "GOPROXY": "off", "CGO_ENABLED": "0"}


def has_go() -> bool:
    """Whether there is a Go compiler."""
    return shutil.which("go") is not None


class GoProgram:
    """A running program that answers each request (length and bytes) with a line of JSON."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, request: bytes) -> Any:  # noqa: ANN401 - whatever the program answers
        """Return the answer to one request."""
        return self.ask_all([request])[0]

    def ask_all(self, requests: Sequence[bytes]) -> list[Any]:
        """Return the answers to many requests, which cost two switches of process each."""
        to, answers = self._process.stdin, self._process.stdout
        assert to is not None
        assert answers is not None
        found = []
        for request in requests:
            to.write(len(request).to_bytes(8, "big") + request)
            to.flush()
            line = answers.readline()
            assert line, "the Go program ended"
            found.append(json.loads(line))
        return found


@contextlib.contextmanager
def go_program(source: Path) -> Iterator[GoProgram]:
    """Build a program that is one file and uses the standard library alone, and run it."""
    with tempfile.TemporaryDirectory(prefix="lamella-go.") as folder:
        cache = os.environ.get("GOCACHE") or str(Path(tempfile.gettempdir()) / "lamella-go-cache")
        environment = {**os.environ, **_OFFLINE, "GOCACHE": cache}
        binary = Path(folder) / source.stem
        command = ["go", "build", "-o", str(binary), str(source)]
        subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
        process = subprocess.Popen(
            [str(binary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1
        )
        try:
            yield GoProgram(process)
        finally:
            process.communicate()
