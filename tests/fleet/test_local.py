"""Tasks done here, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import lamella
from lamella.fleet import local
from lamella.fleet.local import Silence, run_local, run_with_retries
from lamella.fleet.task import Task
from lamella.progress import Progress
from lamella.transport.environment import Environment
from lamella.transport.registry.options import Backoff, RegistryOptions
from tests.fleet.conftest import NAMES
from tests.odd.registry import MemoryRegistry
from tests.transport.registry.faulty import front_of

ONCE = Environment(registry=RegistryOptions(backoff=Backoff(tries=1)))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_FIRST_WAIT", 0.01)


def tasks_of(host: str) -> list[Task]:
    """Return a task for each image of a registry."""
    names = (f"docker://{host}/{name}" for name in NAMES)
    return [Task(name, f"{name}-slim", options={"last": 2}) for name in names]


@pytest.mark.parametrize("jobs", [1, 3])
def test_all_are_done_once(registry: MemoryRegistry, jobs: int) -> None:
    """However many at a time."""
    tasks = tasks_of(registry.host)
    done = list(run_local(tasks, Environment(), Silence(), jobs=jobs, retries=0))
    assert sorted(one.source for one in done) == sorted(task.source for task in tasks)
    assert {one.state for one in done} == {"squashed"}
    for task in tasks:
        assert lamella.verify(task.source, task.destination) == []


def test_one_at_a_time_is_in_order(registry: MemoryRegistry) -> None:
    """As the images are named."""
    tasks = tasks_of(registry.host)
    done = list(run_local(tasks, Environment(), Silence(), jobs=1, retries=0))
    assert [one.source for one in done] == [task.source for task in tasks]


def test_a_failure_does_not_stop_the_others(registry: MemoryRegistry) -> None:
    """It is told, with how often it was tried."""
    with front_of(registry.host) as front:
        front.add("GET /v2/team/web/.*", times=1000, status=503)
        front.add("HEAD /v2/team/web/.*", times=1000, status=503)
        tasks = tasks_of(front.host)
        done = list(run_local(tasks, ONCE, Silence(), jobs=2, retries=1))
    failed = [one for one in done if one.state == "failed"]
    assert [(one.source[-11:], one.tries, one.exit_code) for one in failed] == [
        ("team/web:v1", 2, 5)
    ]
    assert len(done) == len(tasks)


def test_what_may_pass_is_tried_again(registry: MemoryRegistry) -> None:
    """A registry that is out of order for a moment costs no image."""
    with front_of(registry.host) as front:
        front.add("GET .*/blobs/.*", times=2, status=503)
        outcome = run_with_retries(tasks_of(front.host)[0], ONCE, 3)
    assert (outcome.state, outcome.tries) == ("squashed", 3)


def test_what_will_not_pass_is_not_tried_again(registry: MemoryRegistry) -> None:
    """An image that is not there will not come by itself."""
    task = Task(f"docker://{registry.host}/team/app:none", "oci:x", options={"last": 2})
    assert run_with_retries(task, ONCE, 5).tries == 1


def test_who_watches_is_told(registry: MemoryRegistry) -> None:
    """Of each that begins, and of its end; never of more than may be under way."""
    lock, now, most = threading.Lock(), [0], [0]

    class Watching(Silence):
        def begin(self, source: str) -> Progress:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            return super().begin(source)

        def end(self, source: str) -> None:
            with lock:
                now[0] -= 1

    done = list(run_local(tasks_of(registry.host), Environment(), Watching(), jobs=2, retries=0))
    assert len(done) == len(NAMES)
    assert (now[0], most[0] <= 2) == (0, True)


def test_who_stops_asking_ends_it(registry: MemoryRegistry, tmp_path: Path) -> None:
    """What is under way ends soon, in an error; what is done stays done."""

    def first(found: Iterator[object]) -> object:
        return next(found)

    running = run_local(tasks_of(registry.host), Environment(), Silence(), jobs=1, retries=5)
    assert first(running)
    running.close()
    again = list(run_local(tasks_of(registry.host), Environment(), Silence(), jobs=2, retries=0))
    states = {one.state for one in again}
    assert states <= {"unchanged", "squashed"}
    assert "unchanged" in states
