"""Wheel and sdist: the same bytes from the same tree, and complete."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from lamella import __version__
from lamella.cli import man
from lamella.cli.group import cli
from lamella.cli.topics import TOPICS
from tests.install.conftest import ROOT, only, run_free

pytestmark = pytest.mark.install


@pytest.fixture(scope="module")
def unpacked(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked: no repository, other times of folders."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(only(made, "*.tar.gz")) as sdist:
        sdist.extractall(folder, filter="data")
    return only(folder, "lamella-*")


def build(tree: Path, target: Path, umask: int) -> None:
    """Build as `make dist` does, as somebody else would."""
    time = run_free("sh", ".ci/build-time", cwd=tree).strip()
    env = {"SOURCE_DATE_EPOCH": time, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = (sys.executable, "-m", "hatchling", "build", "-d", target)
    run_free(*command, cwd=tree, env=env, umask=umask)


def test_who_builds_again_gets_the_same_bytes(made: Path, tmp_path: Path) -> None:
    """Whatever their umask and time zone."""
    build(ROOT, tmp_path, umask=0o077)
    for pattern in ("*.whl", "*.tar.gz"):
        assert only(tmp_path, pattern).read_bytes() == only(made, pattern).read_bytes()


def test_who_builds_from_the_sdist_gets_the_same_wheel(
    made: Path, unpacked: Path, tmp_path: Path
) -> None:
    """So what a distribution packages is what an index has; and the sdist makes itself again."""
    build(unpacked, tmp_path, umask=0o022)
    for pattern in ("*.whl", "*.tar.gz"):
        assert only(tmp_path, pattern).read_bytes() == only(made, pattern).read_bytes()


def test_the_sdist_has_every_file_of_the_repository(made: Path, unpacked: Path) -> None:
    """With the tests and all that they read, so who packages lamella can run them."""
    if not (ROOT / ".git").exists():
        pytest.skip("no repository to compare with")
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    files = run_free(*listed, cwd=ROOT).splitlines()
    with tarfile.open(only(made, "*.tar.gz")) as sdist:
        found = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    assert found == {*files, "PKG-INFO"}
    run_free(sys.executable, "-m", "pytest", "-q", "-n0", "tests/test_meta.py", cwd=unpacked)


def test_the_wheel_has_the_package_its_documents_and_nothing_else(made: Path) -> None:
    """No tests, no caches."""
    source = ROOT / "src"
    files = (path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
    package = {path.relative_to(source).as_posix() for path in files}
    pages = {f"share/man/man1/{name}" for name, _ in man.pages(cli, "", "")}
    with zipfile.ZipFile(only(made, "*.whl")) as wheel:
        names = [re.sub(r"^lamella-[\d.]+\.data/data/", "", name) for name in wheel.namelist()]
    assert {name for name in names if not name.startswith("lamella-")} == {
        *package,
        *(f"lamella/docs/{topic.page}" for topic in TOPICS.values()),
        *pages,
    }


def test_the_bill_of_materials_names_what_is_installed(made: Path) -> None:
    """The locked versions, no other packages, and this version of lamella."""
    run_free("make", "--no-print-directory", "sbom", f"DIST={made}", cwd=ROOT)
    bill = json.loads((made / "lamella.cdx.json").read_text(encoding="utf-8"))
    root = bill["metadata"]["component"]
    assert (root["name"], root["version"]) == ("lamella", __version__)
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = {
        name.lower(): version for name, version in re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE)
    }
    found = {
        re.sub("[._]", "-", part["name"]).lower(): part["version"] for part in bill["components"]
    }
    assert found.items() <= locked.items()
    assert {"click", "textual", "urllib3"} <= found.keys()
    assert str(made) not in json.dumps(bill)
