"""The GitLab CI component: its script is run with the variables that the runner gives."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.ci.runner import ROOT, environment
from tests.support.demo import put_demo
from tests.support.schemas import assert_valid

pytestmark = pytest.mark.slow

TEMPLATE = ROOT / "templates" / "lamella.yml"


def header() -> dict[str, dict[str, Any]]:
    """Return the inputs that the component declares."""
    spec, _ = yaml.safe_load_all(TEMPLATE.read_text(encoding="utf-8"))
    inputs: dict[str, dict[str, Any]] = spec["spec"]["inputs"]
    return inputs


def included(**given: object) -> dict[str, Any]:
    """Return what the component becomes where it is included, as GitLab fills it in."""
    values = {name: told.get("default") for name, told in header().items()}
    values |= {name.replace("_", "-"): value for name, value in given.items()}
    assert values.keys() == header().keys()
    body = TEMPLATE.read_text(encoding="utf-8").partition("\n---\n")[2]

    def fill(found: re.Match[str]) -> str:
        value = values[found[1]]
        return str(value).lower() if isinstance(value, bool) else str(value)

    document: dict[str, Any] = yaml.safe_load(re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", fill, body))
    return document


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with the demo's image."""
    put_demo(tmp_path / "demo.tar")
    return tmp_path


def run(
    folder: Path,
    inputs: Mapping[str, object],
    shell: str = "sh",
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the job's script as GitLab's runner does: its parts in one shell that stops at errors."""
    [job] = included(image="demo.tar", **inputs).values()
    variables = {
        name: value["value"] if isinstance(value, dict) else value
        for name, value in job["variables"].items()
    }
    return subprocess.run(
        [shell, "-ec", "\n".join(job["script"])],
        cwd=folder,
        env={**environment(), **variables, **(more or {})},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_component_is_valid(tmp_path: Path) -> None:
    """Its header, and what is made of it, by GitLab's schema."""
    (tmp_path / "header.json").write_text(json.dumps({"spec": {"inputs": header()}}))
    (tmp_path / "job.json").write_text(json.dumps(included(image="app.tar", job="check image")))
    for name in ("header.json", "job.json"):
        assert_valid(tmp_path / name, "--builtin-schema", "vendor.gitlab-ci")


def test_example_of_the_page_is_a_pipeline(tmp_path: Path) -> None:
    """By GitLab's schema, with inputs that the component has."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\ninclude:\n")[2].partition("```")[0]
    (tmp_path / "pipeline.yml").write_text(f"include:\n{example}")
    assert_valid(tmp_path / "pipeline.yml", "--builtin-schema", "vendor.gitlab-ci")
    [ours] = yaml.safe_load(f"include:\n{example}")["include"]
    assert ours["inputs"].keys() <= header().keys()


def test_every_input_is_used_and_told() -> None:
    """In the job, and on the page; none in the script itself."""
    text = TEMPLATE.read_text(encoding="utf-8")
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for name in header():
        assert f"$[[ inputs.{name} ]]" in text, name
        assert f"`{name}`" in page, name
    [job] = yaml.safe_load(text.partition("\n---\n")[2]).values()
    assert "$[[" not in "".join(job["script"])


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_gate_fails_a_job(workspace: Path, shell: str) -> None:
    """Exit 6, and the JUnit report that the job declares."""
    done = run(workspace, {"max_dead": "5%", "forbid_secrets": True}, shell)
    assert done.returncode == 6, done.stderr
    assert "FAIL  forbid-secrets: 1 likely secret; expected none\n" in done.stdout
    [job] = included(image="demo.tar").values()
    suites = ET.parse(workspace / job["artifacts"]["reports"]["junit"]).getroot()  # noqa: S314 - our own
    assert suites.get("failures") == "2"
    assert (workspace / job["artifacts"]["paths"][0] / "lamella.sarif").exists()


def test_every_rule_reaches_the_gate(workspace: Path) -> None:
    """Each input with its option; a file of rules too."""
    (workspace / "strict.toml").write_text("[rules]\nmax-layers = 1\n")
    limits = {
        "max_dead": "60%",
        "max_dead_bytes": "20MB",
        "max_size": "30MB",
        "max_layers": "10",
        "min_efficiency": "0.5",
    }
    done = run(workspace, {"rules": "strict.toml", **limits})
    assert done.returncode == 0, done.stderr
    told = json.loads((workspace / "lamella-reports" / "lamella.json").read_text())["rules"]
    assert {rule["rule"].replace("-", "_") for rule in told} == limits.keys()


@pytest.mark.parametrize(
    ("choice", "layers"), [({"base": "#1"}, 2), ({"layers": "2-7"}, 5), ({}, 2)]
)
def test_squash_then_gate(workspace: Path, choice: dict[str, str], layers: int) -> None:
    """The new image is what is checked."""
    output = "docker-archive:slim.tar:demo:slim"
    done = run(workspace, {"squash": True, "output": output, "max_layers": str(layers), **choice})
    assert done.returncode == 0, done.stderr
    told = json.loads((workspace / "lamella-reports" / "lamella.json").read_text())
    assert (told["reference"], len(told["layers"])) == (output, layers)


def test_squash_without_a_place(workspace: Path) -> None:
    """One line, and exit 2."""
    done = run(workspace, {"squash": True, "max_dead": "5%"})
    assert (done.returncode, done.stderr) == (
        *(2, "squash needs a place for the result: give the input output\n"),
    )


def test_no_lamella_and_nothing_to_install(workspace: Path) -> None:
    """One line, and exit 2."""
    done = run(workspace, {"max_dead": "5%"}, "/bin/sh", {"PATH": "/nowhere"})
    assert done.returncode == 2
    assert done.stderr.startswith("there is no lamella in this image: give the input package")


@pytest.mark.parametrize("name", ["rules", "max_dead", "base", "output", "package"])
def test_inputs_are_no_commands(workspace: Path, name: str) -> None:
    """Whatever is in them, they are one word of a command line."""
    inputs = {"squash": True, "output": "docker-archive:s.tar", "base": "#1", "max_dead": "90%"}
    value = "$(touch pwned)`touch pwned`"
    done = run(workspace, {**inputs, name: value})
    assert done.returncode in ({0} if name == "package" else {1, 2, 5}), done.stderr
    assert not list(workspace.glob("*pwned*"))
