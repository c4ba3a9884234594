"""What the files of `deploy/` start does every image once, as far as it goes without a cluster."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lamella.fleet.task import SOURCE
from tests.ci.runner import environment
from tests.fleet.conftest import fill
from tests.fleet.deployed import (
    HOST,
    PARTS,
    SLURM,
    Process,
    container,
    directives,
    finished,
    gitlab,
    indexed,
    of_dask,
    pod_of,
)
from tests.odd.answers import Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory

pytestmark = pytest.mark.slow

PASSWORD = "s3cr3t-of-the-registry"
NAMES = [f"team/{app}:{tag}" for app in ("app", "web", "db") for tag in ("v1", "v2", "old")]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[MemoryRegistry]:
    """A registry with nine images to squash and one that is none of theirs, behind a password."""
    with registry_in_memory(Oddly(0)) as found:
        fill(found.host, tmp_path, *NAMES, "other/app:v1")
        found.guarded, found.login, found.page = True, f"fleet:{PASSWORD}", 2
        yield found


@pytest.fixture
def folder(tmp_path: Path, guarded: MemoryRegistry) -> Path:
    """A working folder with the credentials in a file, as `podman login` writes them."""
    made = tmp_path / "work"
    made.mkdir()
    auth = base64.b64encode(guarded.login.encode()).decode()
    (made / "auth.json").write_text(json.dumps({"auths": {guarded.host: {"auth": auth}}}))
    return made


def on_kubernetes(folder: Path) -> list[Process]:
    """Return the pods of the Indexed Job."""
    job = indexed()
    process = container(pod_of(job), "lamella", folder)
    return [
        Process(process.command, {**process.env, "JOB_COMPLETION_INDEX": str(index)}, folder)
        for index in range(job["spec"]["completions"])
    ]


def on_gitlab(folder: Path) -> list[Process]:
    """Return the jobs of the pipeline: their script in one shell that stops at errors."""
    job, count = gitlab(), gitlab()["parallel"]
    script = ("sh", "-ec", "\n".join(job["script"]))
    own = {**job["variables"], "REGISTRY_AUTH_FILE": str(folder / "auth.json")}
    return [
        Process(script, {**own, "CI_NODE_INDEX": str(n), "CI_NODE_TOTAL": str(count)}, folder)
        for n in range(1, count + 1)
    ]


def on_slurm(folder: Path) -> list[Process]:
    """Return the tasks of the array, with an `scontrol` that writes down what it is told."""
    home = folder / "home" / ".config" / "containers"
    home.mkdir(parents=True)
    (folder / "auth.json").rename(home / "auth.json")
    tools = folder / "tools"
    tools.mkdir()
    (tools / "scontrol").write_text('#!/bin/sh\necho "$*" >>requeued\n')
    (tools / "scontrol").chmod(0o755)
    found = directives()
    first, last = map(int, found["array"].split("-"))
    env = {
        "PATH": f"{tools}{os.pathsep}{environment()['PATH']}",
        "HOME": str(folder / "home"),
        "SLURM_ARRAY_JOB_ID": "17",
        "SLURM_ARRAY_TASK_COUNT": str(last - first + 1),
        "SLURM_ARRAY_TASK_MIN": str(first),
        "SLURM_CPUS_PER_TASK": found["cpus-per-task"],
    }
    script = ("bash", "-c", SLURM.read_text(encoding="utf-8"))
    return [
        Process(script, {**env, "SLURM_ARRAY_TASK_ID": str(number)}, folder)
        for number in range(first, last + 1)
    ]


RUNNERS = [on_kubernetes, on_gitlab, on_slurm]


def outcomes(folder: Path, outputs: Sequence[str]) -> list[dict[str, Any]]:
    """Return what has come of images so far: from the journals, or else from the logs."""
    journals = [path.read_text() for path in folder.glob("*.jsonl")]
    return [json.loads(line) for text in journals or outputs for line in text.splitlines()]


@pytest.mark.parametrize("runner", RUNNERS)
def test_every_image_is_done_once(
    runner: Callable[[Path], list[Process]], guarded: MemoryRegistry, folder: Path
) -> None:
    """By one of the processes; a second run finds nothing to do. Nobody is told the password."""
    processes = [one.naming(HOST, guarded.host) for one in runner(folder)]
    assert len(processes) == PARTS
    assert not any(
        PASSWORD in word for one in processes for word in (*one.command, *one.env.values())
    )
    outputs: list[str] = []
    for states in ({"squashed"}, {"squashed", "unchanged"}):
        ended = finished(processes)
        assert [code for code, _, _ in ended] == [0] * PARTS, ended
        outputs += [out for _, out, _ in ended]
        done = {(one["source"], one["state"]): one for one in outcomes(folder, outputs)}
        wanted = {(f"docker://{guarded.host}/{name}", state) for name in NAMES for state in states}
        assert done.keys() == wanted
        assert len(outcomes(folder, outputs)) == len(wanted)
    slim = {f"{repo}:{tag}" for repo, tag in guarded.manifests if repo.startswith("slim/")}
    assert {name for name in slim if ":sha256:" not in name} == {f"slim/{name}" for name in NAMES}
    for name in NAMES:
        _, raw = guarded.manifests[f"slim/{name.partition(':')[0]}", name.partition(":")[2]]
        assert SOURCE in json.loads(raw)["annotations"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_without_the_file_no_image_is_done(
    runner: Callable[[Path], list[Process]], guarded: MemoryRegistry, folder: Path
) -> None:
    """So it is the file that lets them in; the message says what to do."""
    first, *_ = (one.naming(HOST, guarded.host) for one in runner(folder))
    [auth] = folder.rglob("auth.json")
    auth.unlink()
    [(code, _, err)] = finished([first])
    assert code == 5
    assert "log in with docker login" in err


def test_a_task_of_slurm_starts_again_after_a_failed_registry(folder: Path) -> None:
    """As often as the script says; after other failures never."""
    nowhere, twice = "127.0.0.1:1", {"SLURM_RESTART_COUNT": "2"}
    first = on_slurm(folder)[0].naming(HOST, nowhere)
    again = Process(first.command, {**first.env, **twice}, folder)
    last = Process(first.command, {**first.env, "SLURM_RESTART_COUNT": "3"}, folder)
    assert [code for code, _, _ in finished([first, again, last])] == [5, 5, 5]
    assert (folder / "requeued").read_text() == "requeue 17_0\n" * 2
    wrong = first.naming("--auto", "--last 0")
    assert [code for code, _, _ in finished([wrong])] == [2]
    assert (folder / "requeued").read_text() == "requeue 17_0\n" * 2


def test_dask_does_every_image_once(guarded: MemoryRegistry, folder: Path) -> None:
    """Scheduler, workers, what waits for them, and the job: all as the file says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    found = of_dask()

    def process(of: str, name: str) -> Process:
        one = container(pod_of(found[of]), name, folder).naming(HOST, guarded.host)
        one = one.naming("lamella-scheduler:8786", address)
        return one.naming("--port=8786", f"--port={address.partition(':')[2]}")

    scheduler = process("Deployment lamella-scheduler", "scheduler")
    worker = process("Deployment lamella-worker", "worker")
    cluster = [
        one.start()
        for one in (scheduler, *[worker] * found["Deployment lamella-worker"]["spec"]["replicas"])
    ]
    try:
        [(code, _, err)] = finished([process("Job lamella", "workers")])
        assert code == 0, err
        [(code, out, err)] = finished([process("Job lamella", "lamella")])
    finally:
        # Asked to end all at once, Dask's processes may wait for each other without end; and what
        # they do at their end is no concern of ours.
        for one in cluster:
            one.kill()
        for one in cluster:
            one.communicate()
    assert code == 0, err
    done = [json.loads(line) for line in out.splitlines()]
    assert sorted(one["source"] for one in done) == sorted(
        f"docker://{guarded.host}/{name}" for name in NAMES
    )
    assert {one["state"] for one in done} <= {"squashed", "copied"}
