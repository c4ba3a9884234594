"""The GitHub action: its steps are run with what the runner gives them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.ci.runner import ROOT, Job, load
from tests.engines.daemon import Engine
from tests.support.demo import put_demo
from tests.support.images import docker_archive
from tests.support.schemas import assert_valid, sarif_schema
from tests.support.tars import layer

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with the demo's image: half of it is dead, and a key is deleted in it."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    put_demo(folder / "demo.tar")
    return folder


def test_action_is_valid() -> None:
    """By GitHub's schema."""
    assert_valid(ROOT / "action.yml", "--builtin-schema", "vendor.github-actions")


def test_example_of_the_page_is_a_workflow(tmp_path: Path) -> None:
    """By GitHub's schema, with inputs that the action has."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\non: push\n")[2].partition("```")[0]
    (tmp_path / "workflow.yml").write_text(f"on: push\n{example}")
    assert_valid(tmp_path / "workflow.yml", "--builtin-schema", "vendor.github-workflows")
    steps = yaml.safe_load(example)["jobs"]["image"]["steps"]
    [ours] = [step for step in steps if "/lamella@" in step.get("uses", "")]
    assert ours["with"].keys() <= load()["inputs"].keys()


def test_no_value_is_written_into_a_script() -> None:
    """An input like `$(curl …)` is data: it comes by the environment."""
    for step in load()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_every_input_and_output_is_used_and_told() -> None:
    """In a step, and on the page."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    action = load()
    for name in action["inputs"]:
        assert re.search(rf"inputs\.{name}\b(?!-)", text), name
        assert f"`{name}`" in page, name
    for name in action["outputs"]:
        assert f"`{name}`" in page, name


def test_gate_fails_a_job(workspace: Path) -> None:
    """Exit 6; annotations, a summary, and all reports as an artifact."""
    job = Job(workspace, {"image": "demo.tar", "max-dead": "5%", "forbid-secrets": "true"})
    assert job.run() == 6
    assert "Squash" not in job.steps
    assert "\n::error title=lamella%3A forbid-secrets::" in job.steps["Check against rules"].out
    assert job.summary.startswith("### lamella: `demo.tar` violates 2 of 2 rules\n")
    assert job.output("passed") == "false"
    reports = Path(job.output("reports"))
    assert {path.suffix for path in reports.iterdir()} == {
        ".json",
        ".sarif",
        ".xml",
        ".md",
        ".html",
    }
    assert_valid(Path(job.output("sarif")), "--schemafile", sarif_schema())
    assert json.loads((reports / "lamella.json").read_text())["passed"] is False
    assert job.uploads == [{"name": "lamella", "path": str(reports)}]


def test_every_rule_reaches_the_gate(workspace: Path) -> None:
    """Each input with its option; a file of rules too."""
    (workspace / "strict.toml").write_text("[rules]\nmax-layers = 1\n")
    limits = {
        "max-dead": "60%",
        "max-dead-bytes": "20MB",
        "max-size": "30MB",
        "max-layers": "10",
        "min-efficiency": "0.5",
    }
    job = Job(workspace, {"image": "demo.tar", "rules": "strict.toml", **limits})
    assert job.run() == 0
    assert job.output("passed") == "true"
    told = json.loads((Path(job.output("reports")) / "lamella.json").read_text())["rules"]
    assert {rule["rule"] for rule in told} == limits.keys()


def test_rules_of_the_workspace(workspace: Path) -> None:
    """Without any input."""
    (workspace / "lamella.toml").write_text("[rules]\nmax-layers = 3\n")
    job = Job(workspace, {"image": "demo.tar", "artifact": ""})
    assert job.run() == 6
    assert "max-layers" in job.steps["Check against rules"].out
    assert job.uploads == []


@pytest.mark.parametrize(
    ("choice", "layers"), [({"base": "#1"}, 2), ({"layers": "2-7"}, 5), ({}, 2)]
)
def test_squash_then_gate(workspace: Path, choice: dict[str, str], layers: int) -> None:
    """The new image is what is checked, and what later steps are told of."""
    output = "docker-archive:slim.tar:demo:slim"
    rules = {"max-dead": "20%", "max-layers": str(layers)}
    job = Job(
        workspace, {"image": "demo.tar", "squash": "true", "output": output, **choice, **rules}
    )
    assert (job.run() == 6) is ("layers" in choice), job.steps
    assert job.output("image") == output
    told = json.loads((Path(job.output("reports")) / "lamella.json").read_text())
    assert job.output("id") == told["id"]
    assert len(told["layers"]) == layers
    assert int(job.output("saved-bytes")) == 27852288 - told["bytes"]["total"]
    assert "lamella squashed 10 layers, 27.9 MB into " in job.summary


def test_squash_alone(workspace: Path) -> None:
    """Without the gate nothing is checked."""
    inputs = {"image": "demo.tar", "squash": "true", "gate": "false", "tag": "demo:slim"}
    job = Job(workspace, {**inputs, "output": "docker-archive:slim.tar"})
    assert job.run() == 0
    assert "Check against rules" not in job.steps
    assert (workspace / "slim.tar").exists()
    assert job.uploads == []


@pytest.mark.engine
def test_image_of_an_engine(workspace: Path, docker_classic: Engine) -> None:
    """Built there, squashed there under another name, and gated there."""
    docker_classic.docker("load", input=(workspace / "demo.tar").read_bytes())
    inputs = {"image": "lamella-demo:latest", "squash": "true", "base": "#1", "tag": "demo:slim"}
    job = Job(workspace, {**inputs, "max-layers": "2"}, {"DOCKER_HOST": docker_classic.host})
    assert job.run() == 0, job.steps
    assert (job.output("image"), job.output("passed")) == ("demo:slim", "true")
    found = json.loads(docker_classic.docker("inspect", "demo:slim"))
    assert found[0]["Id"] == job.output("id")


def test_squash_without_a_name_for_the_result(workspace: Path) -> None:
    """Said as an annotation; nothing is checked after it."""
    job = Job(workspace, {"image": "demo.tar", "squash": "true"})
    assert job.run() == 2
    assert job.steps["Squash"].out.startswith("::error title=lamella::squash needs a name")
    assert "Check against rules" not in job.steps


def test_what_is_no_outcome_of_the_gate(workspace: Path) -> None:
    """A damaged image passed nothing and failed nothing: its exit code, no outputs, no artifact."""
    (workspace / "bad.tar").write_bytes(docker_archive(layer("a/"), layer(("b", b"b" * 999))[:700]))
    job = Job(workspace, {"image": "bad.tar", "max-dead": "5%"})
    assert job.run() == 1
    assert "lamella: " in job.steps["Check against rules"].err
    assert job.output("passed") == ""
    assert job.uploads == []


@pytest.mark.parametrize("name", ["image", "rules", "max-dead", "base", "output"])
def test_inputs_are_no_commands(workspace: Path, name: str) -> None:
    """Whatever is in them, they are one word of a command line."""
    inputs = {"image": "demo.tar", "squash": "true", "output": "docker-archive:s.tar", "base": "#1"}
    value = '$(touch pwned)`touch pwned`"; touch pwned; "'
    job = Job(workspace, {**inputs, "max-dead": "5%", name: value})
    assert job.run() in {1, 2, 5, 7}
    assert not list(workspace.glob("*pwned*"))


def test_an_image_is_no_option(workspace: Path) -> None:
    """Nor does `--help` pass a gate."""
    assert Job(workspace, {"image": "--help", "max-dead": "5%"}).run() == 7
