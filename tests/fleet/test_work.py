"""From names to tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamella.errors import UsageError
from lamella.fleet.plan_file import PlannedImage
from lamella.fleet.shard import Shard
from lamella.fleet.task import Noted, Task
from lamella.fleet.work import Listed, make_tasks, read_list
from lamella.transport.environment import Environment
from tests.odd.registry import MemoryRegistry
from tests.support.images import docker_archive
from tests.transport.forms import TARS

SLIM = "docker://{host}/{repository}:{tag}-slim"


def test_a_task_for_each_image(registry: MemoryRegistry) -> None:
    """With its destination; an image that is named twice is done once."""
    host = registry.host
    wanted = [Listed(f"docker://{host}/team/*:v*"), Listed(f"docker://{host}/team/app:v1")]
    work = make_tasks(wanted, Task("", SLIM, "1"), Environment())
    assert [(task.source, task.destination, task.layer) for task in work.tasks] == [
        (f"docker://{host}/{name}", f"docker://{host}/{name}-slim", "1")
        for name in ("team/app:v1", "team/app:v2", "team/web:v1")
    ]


def test_results_are_no_sources(registry: MemoryRegistry) -> None:
    """Those of an earlier run match the same pattern; they are told, and left alone."""
    for tag in ("v1-slim", "v3-slim"):
        registry.put("team/app", tag, *registry.manifests["team/app", "v1"])
    name = f"docker://{registry.host}/team/app"
    work = make_tasks([Listed(f"{name}:v*")], Task("", SLIM), Environment())
    assert work.results == (f"{name}:v1-slim",)
    assert [task.source[-7:] for task in work.tasks] == ["/app:v1", "/app:v2", "v3-slim"]


def test_files_are_told_by_their_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are spelt, and whatever format is said."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.tar", "a-slim.tar"):
        (tmp_path / name).write_bytes(docker_archive(*TARS))
    work = make_tasks([Listed(".")], Task("", "docker-archive:{name}-slim.tar"), Environment())
    assert [task.source for task in work.tasks] == ["./a.tar"]
    assert work.results == ("./a-slim.tar",)
    for template in ("docker-archive:./{name}.tar", f"oci-archive:{tmp_path}/{{name}}.tar"):
        with pytest.raises(UsageError, match="would replace itself"):
            make_tasks([Listed("a.tar")], Task("", template), Environment())


def test_what_no_image_can_do_is_told_at_once() -> None:
    """Before a registry is asked for anything."""
    wanted = [Listed("docker://127.0.0.1:1/a/*")]
    for options in ({"last": 0}, {"last": 1, "auto": True}, {"compression": "lzma"}):
        with pytest.raises(UsageError):
            make_tasks(wanted, Task("", SLIM, options=options), Environment())
    with pytest.raises(UsageError, match="platform"):
        make_tasks(wanted, Task("", SLIM, options={"platform": "///"}), Environment())


def test_a_plan_leaves_no_choice_of_layers() -> None:
    """What else is asked for is told at once, not image by image."""
    planned = PlannedImage("docker://127.0.0.1:1/a:1", "sha256:1", "", 3, 2, 9, 8, ("1-2",))
    wanted = [Listed(planned.image, planned=planned)]
    with pytest.raises(UsageError, match="exclude each other"):
        make_tasks(wanted, Task("", SLIM, options={"last": 2}), Environment())


def test_a_file_that_is_not_there_is_one_failure(tmp_path: Path) -> None:
    """The others are done; only the part that has it tells of it."""
    (tmp_path / "a.tar").write_bytes(docker_archive(*TARS))
    wanted = [Listed(f"{tmp_path}/none.tar"), Listed(f"{tmp_path}/a.tar")]
    parts = [
        make_tasks(wanted, Task("", "oci:all:{name}"), Environment(), shard=shard)
        for shard in (None, Shard(1, 2), Shard(2, 2))
    ]
    assert [task.source for task in parts[0].tasks] == [f"{tmp_path}/a.tar"]
    [failed] = parts[0].failed
    assert (failed.source, failed.exit_code) == (f"{tmp_path}/none.tar", 7)
    assert sum(len(part.failed) for part in parts[1:]) == 1


def test_two_images_with_one_destination(registry: MemoryRegistry) -> None:
    """The second would replace the first."""
    wanted = [Listed(f"docker://{registry.host}/team/app:*")]
    with pytest.raises(UsageError, match=r"app:v1 and .*app:old would both go to .*one"):
        make_tasks(wanted, Task("", "docker://{host}/one"), Environment())
    with pytest.raises(UsageError, match="no destination; give `to`"):
        make_tasks(wanted, Task("", ""), Environment())


def test_shards_share_the_work(registry: MemoryRegistry) -> None:
    """Each image is done by one of them."""
    wanted = [Listed(f"docker://{registry.host}/**")]
    parts = [
        make_tasks(wanted, Task("", SLIM), Environment(), shard=Shard(number, 3)).tasks
        for number in (1, 2, 3)
    ]
    sources = [task.source for part in parts for task in part]
    assert len(sources) == len(set(sources)) == 5


def test_what_a_journal_says_goes_with_the_task() -> None:
    """By source and destination."""
    known = Noted("sha256:1", "sha256:2", "sha256:3")
    wanted = [Listed("docker://h.example/a:1"), Listed("docker://h.example/b:1")]
    found = {("docker://h.example/a:1", "docker://h.example/a:1-slim"): known}
    work = make_tasks(wanted, Task("", SLIM), Environment(), known=found)
    assert [task.known for task in work.tasks] == [known, None]


def test_a_list() -> None:
    """Source, LAYER, destination; a dash for none."""
    lines = ["# comment", "", "a", "  b 3", "c - d\n", "e debian:12 f"]
    assert list(read_list(lines, "list")) == [
        Listed("a"),
        Listed("b", "3"),
        Listed("c", None, "d"),
        Listed("e", "debian:12", "f"),
    ]
    with pytest.raises(UsageError, match=r"list, line 1: expected SOURCE \[LAYER\] \[DEST\]"):
        list(read_list(["a b c d"], "list"))
