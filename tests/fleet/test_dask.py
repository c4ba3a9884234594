"""Tasks done by real Dask workers."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from lamella.errors import Cancelled, EngineError
from lamella.fleet.dask import run_dask
from lamella.fleet.local import Silence
from lamella.fleet.task import Outcome, Task
from lamella.transport.environment import Environment
from tests.engines.namespace import wait_until
from tests.fleet.conftest import NAMES
from tests.odd.registry import MemoryRegistry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Dask's own
]


def workers_of(parent: int) -> list[int]:
    """Return the processes of a cluster."""
    command = ["pgrep", "-f", "-P", str(parent), "spawn_main"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def test_a_worker_that_dies_costs_no_image(registry: MemoryRegistry) -> None:
    """Its images are done by others; each comes out once, and no process is left."""
    names = [f"docker://{registry.host}/{name}" for name in NAMES]
    tasks = [
        Task(name, f"{name}-{number}", options={"last": 2}) for name in names for number in range(4)
    ]
    done = []
    running = run_dask(
        tasks, Environment(), Silence(), make_env=Environment, address="", jobs=2, retries=1
    )
    for outcome in running:
        done.append(outcome)
        if len(done) == 3:
            os.kill(workers_of(os.getpid())[0], signal.SIGKILL)
    assert sorted(one.destination for one in done) == sorted(task.destination for task in tasks)
    assert [one.message for one in done if one.state not in {"squashed", "unchanged"}] == []
    assert workers_of(os.getpid()) == []


def test_results_that_die_with_a_worker_are_found_again(registry: MemoryRegistry) -> None:
    """All workers are done, and die before anybody has asked them what came of it."""
    name = f"docker://{registry.host}/{NAMES[0]}"
    tasks = [Task(name, f"{name}-{number}", options={"last": 2}) for number in range(6)]
    running = run_dask(
        tasks, Environment(), Silence(), make_env=Environment, address="", jobs=2, retries=0
    )
    done = [next(running)]
    repository, _, tag = NAMES[0].partition(":")
    results = {(repository, f"{tag}-{number}") for number in range(6)}
    assert wait_until(lambda: results <= registry.manifests.keys(), timeout=60)
    workers = workers_of(os.getpid())
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert wait_until(lambda: not {*workers} & {*workers_of(os.getpid())}, timeout=60)
    done += running
    assert [one.message for one in done if one.state not in {"squashed", "unchanged"}] == []
    assert len(done) == len(tasks)


def test_who_cancels_ends_it(registry: MemoryRegistry) -> None:
    """Though workers are at work; none of them is left."""
    name, env = f"docker://{registry.host}/team/app:v1", Environment()
    tasks = [Task(name, f"{name}-{number}", options={"last": 2}) for number in range(40)]
    running = run_dask(tasks, env, Silence(), make_env=Environment, address="", jobs=2, retries=1)
    assert next(running).state == "squashed"
    env.cancel()
    with pytest.raises(Cancelled, match="images that are done stay"):
        next(running)
    assert workers_of(os.getpid()) == []


def outcomes(task: Task, address: str) -> list[Outcome]:
    """Have a cluster do one task."""
    found = run_dask(
        [task],
        Environment(),
        Silence(),
        make_env=Environment,
        address=address,
        jobs=1,
        retries=0,
    )
    return list(found)


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and where it was looked for."""
    monkeypatch.setattr("lamella.fleet.dask._CONNECT_SECONDS", 1)
    task = Task("docker://127.0.0.1:1/a:1", "oci:x")
    with pytest.raises(EngineError, match="can't reach the Dask scheduler tcp://127"):
        outcomes(task, "tcp://127.0.0.1:1")


def test_workers_without_lamella_are_told(
    registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could read no task, and nobody would ever say so."""
    monkeypatch.setattr("lamella.fleet.dask.__version__", "99.0")
    task = Task(f"docker://{registry.host}/{NAMES[0]}", "oci:x")
    with pytest.raises(EngineError, match=r"worker tcp://.*: expected lamella 99\.0, got 0\."):
        outcomes(task, "")
