"""What the files of `deploy/` start, run here with the environment that a cluster would give it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.ci.runner import ROOT, environment

__all__ = [
    "DASK",
    "DEPLOY",
    "GITLAB",
    "HOST",
    "INDEXED",
    "PARTS",
    "SLURM",
    "Process",
    "container",
    "directives",
    "finished",
    "gitlab",
    "indexed",
    "of_dask",
    "pod_of",
    "pods",
]

DEPLOY = ROOT / "deploy"
INDEXED = DEPLOY / "kubernetes" / "indexed-job.yaml"
DASK = DEPLOY / "kubernetes" / "dask.yaml"
GITLAB = DEPLOY / "gitlab" / "fleet.gitlab-ci.yml"
SLURM = DEPLOY / "slurm" / "fleet.sbatch"
PARTS = 4
"""Into how many parts all files divide the work."""
HOST = "reg.example"
"""The registry that the files name."""
_THEIRS = ("JOB_COMPLETION_INDEX", "REGISTRY_AUTH_FILE", "SLURM_", "XDG_CACHE_HOME")


def objects(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def pod_of(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the pods of a Job or a Deployment are made."""
    pod: dict[str, Any] = one["spec"]["template"]["spec"]
    return pod


def indexed() -> dict[str, Any]:
    """Return the Indexed Job."""
    [job] = objects(INDEXED)
    return job


def of_dask() -> dict[str, dict[str, Any]]:
    """Return the objects of the Dask cluster, by kind and name."""
    return {f"{one['kind']} {one['metadata']['name']}": one for one in objects(DASK)}


def gitlab() -> dict[str, Any]:
    """Return the job of GitLab."""
    [job] = yaml.safe_load(GITLAB.read_text(encoding="utf-8")).values()
    assert isinstance(job, dict)
    return job


def directives() -> dict[str, str]:
    """Return what the script asks SLURM for."""
    found = re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", SLURM.read_text(), re.MULTILINE)
    return dict(found)


def pods() -> dict[str, dict[str, Any]]:
    """Return how each pod is made, by where it is."""
    dask = {name: one for name, one in of_dask().items() if "template" in one["spec"]}
    return {name: pod_of(one) for name, one in {"indexed": indexed(), **dask}.items()}


@dataclass(frozen=True)
class Process:
    """A process that a cluster would start."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    """What its environment has beside that of this machine."""
    folder: Path

    def naming(self, old: str, new: str) -> Process:
        """Return it with other words in its arguments and variables."""
        command = tuple(word.replace(old, new) for word in self.command)
        env = {name: value.replace(old, new) for name, value in self.env.items()}
        return replace(self, command=command, env=env)

    def start(self) -> subprocess.Popen[str]:
        """Start it."""
        kept = {k: v for k, v in environment().items() if not k.startswith(_THEIRS)}
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**kept, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def container(pod: Mapping[str, Any], name: str, folder: Path) -> Process:
    """Return what a container runs; what is mounted in it is in a folder of this machine.

    A secret's file is `auth.json` of that folder.
    """
    [one] = [
        one for one in (*pod.get("initContainers", ()), *pod["containers"]) if one["name"] == name
    ]
    env = {variable["name"]: variable["value"] for variable in one.get("env", ())}
    process = Process((*one["command"], *one["args"]), env, folder)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in one["volumeMounts"]:
        secret = "secret" in volumes[mount["name"]]
        here = folder if secret else folder / f"mounted-{mount['name']}"
        here.mkdir(exist_ok=True)
        process = process.naming(f"{mount['mountPath']}/", f"{here}/")
    return process


def finished(processes: Iterable[Process]) -> list[tuple[int, str, str]]:
    """Run processes at the same time; return of each how it ended, and what it wrote."""
    running = [process.start() for process in processes]
    try:
        ended = [(one.communicate(timeout=100), one.returncode) for one in running]
    finally:
        for one in running:
            one.kill()  # of one that has ended: nothing
    return [(code, out, err) for (out, err), code in ended]
