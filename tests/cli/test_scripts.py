"""The first form of lamella: two scripts beside it, for images of a Docker engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import environment

ROOT = Path(__file__).resolve().parents[2]


def run_script(name: str, *args: str, tmp: Path) -> subprocess.CompletedProcess[str]:
    """Run one of them; there is no engine."""
    command = [sys.executable, str(ROOT / name), *args]
    return subprocess.run(
        command, env=environment(tmp), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("name", "args"), [("layers.py", ["app:1"]), ("squash.py", ["app:1", "base:1", "app:2"])]
)
def test_no_engine(tmp: Path, name: str, args: list[str]) -> None:
    """The way out has no files: they take none."""
    done = run_script(name, *args, tmp=tmp)
    assert done.returncode == 5
    assert done.stderr.endswith("No such file or directory; start it, or set DOCKER_HOST\n")


@pytest.mark.parametrize("options", ["-td", "-cd", "-md", "-tm"])
def test_options_of_layers_that_would_be_ignored(tmp: Path, options: str) -> None:
    """They are refused: who gives both expects both."""
    done = run_script("layers.py", options, "app:1", tmp=tmp)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("layers.py: error: ")
    assert "-d goes with no other option" in last or "-t and -m exclude each other" in last
