"""What the tests of the packages can ask for: built once, by `make`, as a release is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.daemon import EngineUnavailableError
from tests.engines.fixtures import started

__all__ = ["ROOT", "made", "one_file", "only", "run_free"]

ROOT = Path(__file__).resolve().parents[2]
_NO_INDEX = ("No matching distribution found", "Could not find a version", "Connection")


def run_free(*args: object, env: Mapping[str, str] | None = None, **settings: object) -> str:
    """Run a command outside of the `make` that runs the tests; return what it prints.

    Args:
        args: its words.
        env: what is added to the environment.
        settings: for `subprocess.run`.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    kept = {key: value for key, value in kept.items() if key not in {"MFLAGS", "PYTHONPATH"}}
    done = subprocess.run(
        [os.fspath(word) if isinstance(word, Path) else str(word) for word in args],
        env={**kept, **(env or {})},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        **settings,  # type: ignore[call-overload]
    )
    if done.returncode and any(words in done.stdout for words in _NO_INDEX):
        raise EngineUnavailableError(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of a folder with such a name."""
    (found,) = folder.glob(pattern)
    return found


@contextmanager
def _make(target: str, folder: Path) -> Iterator[Path]:
    run_free("make", "--no-print-directory", target, f"DIST={folder}", cwd=ROOT)
    yield folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `make dist` makes: the folder with wheel and sdist, checked and tried."""
    folder = tmp_path_factory.mktemp("made") / "dist"
    yield from started(_make("dist", folder), "package index")


@pytest.fixture(scope="session")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `make zipapp` makes: one file that runs."""
    folder = tmp_path_factory.mktemp("one-file") / "dist"
    for made in started(_make("zipapp", folder), "package index"):
        yield only(made, "*.pyz")
