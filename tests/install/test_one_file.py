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
    env = {"HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    run_free(pythons("3.11", "3.12", "3.13")[0], one_file, "--version", env=env)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*/*")] == [
        ".cache/lamella/one-file"
    ]


def test_it_unpacks_where_it_is_told(one_file: Path, tmp_path: Path) -> None:
    """In a container the home is often one in which nothing can be written."""
    env = {"HOME": "/dev/null", "SHIV_ROOT": str(tmp_path)}
    python = pythons("3.11", "3.12", "3.13")[0]
    assert run_free(python, one_file, "--version", env=env) == f"lamella {__version__}\n"
    assert [path for path in tmp_path.iterdir() if path.is_dir()]


def test_without_a_home_it_unpacks_among_temporary_files(one_file: Path, tmp_path: Path) -> None:
    """In a folder that nobody else writes to; `lamella cache` knows of it."""
    env = {"HOME": "/dev/null", "XDG_CACHE_HOME": "", "TMPDIR": str(tmp_path)}
    python = pythons("3.11", "3.12", "3.13")[0]
    assert run_free(python, one_file, "--version", env=env) == f"lamella {__version__}\n"
    unpacked = tmp_path / f"lamella-{os.getuid()}" / "one-file"
    assert unpacked.parent.stat().st_mode & 0o777 == 0o700
    assert f"{unpacked}: the one file" in run_free(python, one_file, "cache", "show", env=env)
    assert run_free(python, one_file, "cache", "clear", env=env).startswith(f"removed {unpacked}")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_is_named_is_used(one_file: Path, tmp_path: Path) -> None:
    """As for all else that lamella remembers."""
    env = {"HOME": "/dev/null", "XDG_CACHE_HOME": str(tmp_path)}
    run_free(pythons("3.11", "3.12", "3.13")[0], one_file, "--version", env=env)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")] == [
        "lamella/one-file"
    ]


@pytest.mark.parametrize("way", ["shared", "named", "full"])
def test_where_it_can_not_unpack_it_says_so(one_file: Path, tmp_path: Path, way: str) -> None:
    """In one line, with the way out; what others may write to is never used."""
    env = {
        "shared": {"HOME": "/dev/null", "XDG_CACHE_HOME": "", "TMPDIR": str(tmp_path)},
        "named": {"SHIV_ROOT": "/dev/null/folder"},
        "full": {"SHIV_ROOT": str(tmp_path)},
    }[way]
    (tmp_path / f"lamella-{os.getuid()}").mkdir()
    (tmp_path / f"lamella-{os.getuid()}").chmod(0o777)
    limit = "ulimit -f 100; " if way == "full" else ""
    python = pythons("3.11", "3.12", "3.13")[0]
    command = f'{limit}exec "$0" "$@"'
    done = subprocess.run(
        ["sh", "-c", command, python, one_file, "--version"],
        env={**os.environ, **env},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr.startswith("lamella: can't unpack to /"), done.stderr
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "SHIV_ROOT" in done.stderr


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
