"""Runs the shell steps of the action as GitHub's runner does: its shell, its files, its order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.warm import warm_command

__all__ = ["ROOT", "Job", "Step", "environment", "load"]

ROOT = Path(__file__).resolve().parents[2]
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


def load() -> dict[str, Any]:
    """Return the action."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    action: dict[str, Any] = yaml.safe_load(text)
    return action


def environment() -> dict[str, str]:
    """Return an environment with lamella in it, and without this build's own variables."""
    ours = ("GITHUB_", "RUNNER_", "CI_", "DOCKER_", "LAMELLA_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    tools = os.fspath(Path(sys.executable).parent)
    path = os.pathsep.join([str(warm_command().parent), tools, os.environ["PATH"]])
    return {**kept, "PATH": path, "DOCKER_HOST": "unix:///nowhere/docker.sock"}


@dataclass(frozen=True)
class Step:
    """How a step ended."""

    code: int
    out: str
    err: str


@dataclass
class Job:
    """One job that uses the action; its folder is the workspace."""

    folder: Path
    inputs: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)
    """What the job sets for all its steps."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    """Those that were run, by their names."""
    uploads: list[dict[str, str]] = field(default_factory=list)

    @property
    def temp(self) -> Path:
        """The runner's temporary folder."""
        return self.folder.parent / "runner"

    @property
    def summary(self) -> str:
        """What all steps wrote to the job's summary."""
        return (self.temp / "summary").read_text(encoding="utf-8")

    def run(self) -> int:
        """Run all steps; return the exit code of the first that failed, or 0."""
        action = load()
        unknown = self.inputs.keys() - action["inputs"].keys()
        assert not unknown, unknown
        defaults = {name: told.get("default", "") for name, told in action["inputs"].items()}
        self.inputs = {**defaults, **self.inputs}
        self.temp.mkdir()
        (self.temp / "summary").touch()
        failed = 0
        for step in action["runs"]["steps"]:
            condition = step.get("if", "")
            if (failed and "always()" not in condition) or not self._is_true(condition):
                continue
            if "run" in step:
                code = self._run(step)
                failed = failed or code
            else:
                self.uploads.append({k: self._filled(v) for k, v in step["with"].items()})
        return failed

    def output(self, name: str) -> str:
        """Return an output of the action."""
        return self._filled(load()["outputs"][name]["value"])

    def _run(self, step: dict[str, Any]) -> int:
        script, output = self.temp / "step.sh", self.temp / "output"
        script.write_text(step["run"], encoding="utf-8")
        output.write_text("")
        env = {
            **environment(),
            **self.env,
            "GITHUB_OUTPUT": str(output),
            "GITHUB_PATH": str(self.temp / "path"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "RUNNER_TEMP": str(self.temp),
            **{name: self._filled(value) for name, value in step.get("env", {}).items()},
        }
        assert step["shell"] == "bash"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.folder,
            env=env,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        self.steps[step["name"]] = Step(done.returncode, done.stdout, done.stderr)
        lines = output.read_text(encoding="utf-8").splitlines()
        self.outputs[step.get("id", step["name"])] = dict(line.split("=", 1) for line in lines)
        return done.returncode

    def _filled(self, text: str) -> str:
        return _EXPRESSION.sub(lambda found: self._value(found[1]), text)

    def _value(self, expression: str) -> str:
        values = (self._one(part.strip()) for part in expression.split("||"))
        return next(filter(None, values), "")

    def _one(self, name: str) -> str:
        match name.split("."):
            case ["inputs", key]:
                return self.inputs[key]
            case ["steps", step, "outputs", key]:
                return self.outputs.get(step, {}).get(key, "")
            case ["runner", "temp"]:
                return str(self.temp)
            case ["github", "action_path"]:
                return str(ROOT)
        raise ValueError(name)

    def _is_true(self, condition: str) -> bool:
        for part in condition.split("&&") if condition else ():
            if part.strip() == "always()":
                continue
            name, sign, value = part.split()
            if (self._one(name) == value.strip("'")) is not (sign == "=="):
                return False
        return True
