"""The workflows are valid, test what is promised, and may do no more than they need."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(path.name for path in FOLDER.glob("*.yml"))


def read(name: str) -> dict[Any, Any]:
    """Read a workflow; YAML takes its key `on` for true."""
    document: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_valid(name: str) -> None:
    """By the published schema."""
    tool = Path(sys.executable).with_name("check-jsonschema")
    schema = ("--builtin-schema", "vendor.github-workflows")
    done = subprocess.run([tool, *schema, FOLDER / name], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()


def test_every_python_that_is_promised_is_tested() -> None:
    """By the classifiers; and the one file has modules for the same ones."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert read("test.yml")["jobs"]["quick"]["strategy"]["matrix"]["python"] == promised
    script = (ROOT / ".ci" / "one-file").read_text(encoding="utf-8")
    assert f"for version in {' '.join(promised)}; do" in script


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read(name: str) -> None:
    """But for the jobs that publish, which say what they need."""
    workflow = read(name)
    assert workflow["permissions"] == {"contents": "read"}
    jobs = workflow["jobs"]
    more = {job for job in jobs if "write" in jobs[job].get("permissions", {}).values()}
    assert more == ({"publish", "attach"} if name == "release.yml" else set())
    assert "secrets." not in (FOLDER / name).read_text(encoding="utf-8")


def test_nothing_is_published_that_was_not_tested() -> None:
    """Nor attached that was not published; and only by a tag."""
    workflow = read("release.yml")
    assert workflow[True] == {"push": {"tags": ["v*"]}}
    assert workflow["jobs"]["publish"]["needs"] == ["test", "build"]
    assert workflow["jobs"]["attach"]["needs"] == "publish"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_workflow_makes_is_there(name: str) -> None:
    """Each target of make, each script."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in re.findall(r"make ([a-z -]+?) PYTHON", text):
        for target in line.split():
            assert f"\n{target}:" in makefile
    for script in re.findall(r"\.ci/[a-z-]+", text):
        assert (ROOT / script).exists()
