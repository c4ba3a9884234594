"""The one file: it runs as it is, with any Python that is supported, and says what it can't."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from lamella import __version__
from tests.install.conftest import run_free

pytestmark = pytest.mark.install


def pythons(*versions: str) -> list[Path]:
    """Find Pythons of these versions on this machine, those of pyenv among them."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    paths = (folder / f"python{version}" for version in versions for folder in folders)
    # a shim is a script, which may know of no Python
    return [path for path in paths if path.exists() and path.resolve().read_bytes()[:2] != b"#!"]


def test_it_squashes(one_file: Path, tmp_path: Path) -> None:
    """Alone, in an empty home; the compiled modules are there."""
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    python = Path(shutil.which("python3.11", path="/usr/bin:/bin") or pythons("3.11", "3.12")[0])
    assert run_free(python, one_file, "--version", env=env) == f"lamella {__version__}\n"
    text = run_free(python, one_file, "demo", env=env)
    assert "the same file system (content, modes, owners" in text
    assert run_free(python, one_file, "help", "json", env=env).startswith("# JSON for programs\n")


def test_it_leaves_what_it_unpacks_in_one_place(one_file: Path, tmp_path: Path) -> None:
    """Beside what lamella remembers."""
    run_free(pythons("3.11", "3.12", "3.13")[0], one_file, "--version", env={"HOME": str(tmp_path)})
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*/*")] == [
        ".cache/lamella/one-file"
    ]


def test_it_unpacks_where_it_is_told(one_file: Path, tmp_path: Path) -> None:
    """In a container the home is often one in which nothing can be written."""
    env = {"HOME": "/dev/null", "SHIV_ROOT": str(tmp_path)}
    python = pythons("3.11", "3.12", "3.13")[0]
    assert run_free(python, one_file, "--version", env=env) == f"lamella {__version__}\n"
    assert [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_it_runs_with_each_python(one_file: Path, tmp_path: Path, version: str) -> None:
    """Those that this machine has; it has compiled modules for all."""
    with zipfile.ZipFile(one_file) as packed:
        names = [name for name in packed.namelist() if name.endswith(".so")]
    tag = f".cpython-{version.replace('.', '')}-"
    modules = {re.sub(r"\..*", "", name) for name in names if tag in name}
    assert {"site-packages/isal/_isal", "site-packages/zlib_ng/zlib_ng"} <= modules
    for python in pythons(version)[:1]:
        run_free(python, one_file, "demo", env={"HOME": str(tmp_path)})


def test_a_python_that_it_is_not_for_is_told(one_file: Path, tmp_path: Path) -> None:
    """In one line, with the way out."""
    old = pythons("3.8", "3.9", "3.10")
    if not old:
        pytest.skip("no Python before 3.11 on this machine")
    env = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([old[0], one_file, "demo"], env=env, check=False, capture_output=True)
    assert done.returncode == 2
    assert done.stderr.startswith(b"lamella: ")
    assert done.stderr.count(b"\n") == 1
    assert b"pip install lamella" in done.stderr
