"""One image of many: done once, and again only if something has changed."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lamella
from lamella.fleet.task import PLAN, SOURCE, Noted, Outcome, Task, run_task
from lamella.transport.environment import Environment
from lamella.transport.registry.options import RegistryOptions
from tests.fleet.conftest import fill
from tests.odd.registry import MemoryRegistry
from tests.support.images import docker_archive
from tests.transport.forms import TARS
from tests.transport.registry.faulty import front_of


def task_of(host: str, **more: Any) -> Task:  # noqa: ANN401 - fields of Task
    """Return a task within a registry."""
    name = f"docker://{host}/team/app"
    return Task(f"{name}:v1", f"{name}:slim", options={"last": 2}, **more)


def manifest_of(registry: MemoryRegistry, repository: str, tag: str) -> Any:  # noqa: ANN401 - JSON
    """Return the manifest that a tag stands for."""
    return json.loads(registry.manifests[repository, tag][1])


def test_a_result_says_of_what_it_is_made(registry: MemoryRegistry) -> None:
    """By annotations of its manifest: the digest of the source, and that of the options."""
    task = task_of(registry.host)
    outcome = run_task(task, Environment())
    assert (outcome.state, outcome.layers_before, outcome.layers_after) == ("squashed", 3, 2)
    _, source = registry.manifests["team/app", "v1"]
    _, made = registry.manifests["team/app", "slim"]
    annotations = json.loads(made)["annotations"]
    assert annotations == {SOURCE: str(lamella.Digest.of(source)), PLAN: task.plan}
    assert outcome.digest == str(lamella.Digest.of(made))


def test_what_is_done_costs_two_requests(registry: MemoryRegistry) -> None:
    """One to each image; the registry's first answer is shared by all of a session."""
    with front_of(registry.host) as front, Environment() as env:
        task = task_of(front.host)
        assert run_task(task, env).state == "squashed"
        front.reset()
        assert run_task(task, env).state == "unchanged"
        assert front.requests == [
            "HEAD /v2/team/app/manifests/v1 200",
            "GET /v2/team/app/manifests/slim 200",
        ]


def test_another_source_or_other_options_are_done_again(
    registry: MemoryRegistry, tmp_path: Path
) -> None:
    """And only those."""
    task = task_of(registry.host)
    assert run_task(task, Environment()).state == "squashed"
    other = replace(task, options={"last": 3})
    assert run_task(other, Environment()).layers_after == 1
    assert run_task(task, Environment()).state == "squashed", "the tag has the other one now"
    assert run_task(task, Environment()).state == "unchanged"
    registry.put("team/app", "v1", *registry.manifests["team/web", "v1"])
    assert run_task(task, Environment()).state == "squashed"
    assert run_task(replace(task, layer="1", options={}), Environment()).state == "squashed"
    fill(registry.host, tmp_path, "team/app:slim")  # somebody replaces the result
    assert run_task(task, Environment()).state == "squashed"


def test_what_has_nothing_to_squash_is_copied_once(registry: MemoryRegistry) -> None:
    """It is marked, too: the second run leaves it alone."""
    task = replace(task_of(registry.host), options={"max_layers": 9})
    first, second = run_task(task, Environment()), run_task(task, Environment())
    assert (first.state, second.state) == ("copied", "unchanged")
    assert "3 layers, and 9 are allowed" in first.reason


def test_documents_alone_may_change(registry: MemoryRegistry) -> None:
    """With nothing to squash, too: the marks are beside what a user adds, and neither are told."""
    changes = {"change": ("USER me",), "annotations": {"a": "b", "manifest:c": "d"}}
    task = replace(task_of(registry.host), options={"max_layers": 9, **changes})
    dry = run_task(replace(task, dry_run=True), Environment())
    first, second = run_task(task, Environment()), run_task(task, Environment())
    assert (dry.state, first.state, second.state) == ("planned", "changed", "unchanged")
    told = [one["field"] for one in first.to_json()["config_changes"]]
    assert told == ["User", "manifest.annotations.a", "manifest.annotations.c"]
    assert dry.config_changes == first.config_changes
    annotations = manifest_of(registry, "team/app", "slim")["annotations"]
    assert annotations == {"a": "b", "c": "d", SOURCE: first.source_digest, PLAN: task.plan}
    other = replace(task, options={"max_layers": 9, "unset_env": ("NONE",)})
    assert run_task(other, Environment()).state == "copied"


def test_a_tag_that_moves_meanwhile(registry: MemoryRegistry) -> None:
    """What is squashed is the image of which the digest was asked: the mark is never wrong."""
    with front_of(registry.host) as front, Environment() as env:
        moved = registry.manifests["team/web", "v1"]

        def move() -> None:
            registry.put("team/app", "v1", *moved)

        _, source = registry.manifests["team/app", "v1"]
        front.add("GET /v2/team/app/manifests/slim", headers={"X-Nothing": "1"}, then=move)
        task = task_of(front.host)
        assert run_task(task, env).source_digest == str(lamella.Digest.of(source))
        assert run_task(task, env).state == "squashed", "now it is another image"


@pytest.mark.parametrize("platform", [None, "all"])
def test_an_index(registry: MemoryRegistry, platform: str | None) -> None:
    """Its digest counts, whether one of its images or all of them are squashed."""
    kind, raw = registry.manifests["team/app", "v1"]
    entry = {"mediaType": kind, "digest": str(lamella.Digest.of(raw)), "size": len(raw)}
    place = {"platform": {"os": "linux", "architecture": "amd64"}}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**entry, **place}],
    }
    registry.put("team/app", "multi", index["mediaType"], json.dumps(index).encode())  # type: ignore[arg-type]
    name = f"docker://{registry.host}/team/app"
    chosen = {"last": 2, "platform": platform or "linux/amd64"}
    task = Task(f"{name}:multi", f"{name}:new", options=chosen)
    assert run_task(task, Environment()).state == "squashed"
    assert run_task(task, Environment()).state == "unchanged"
    made = json.loads(registry.manifests["team/app", "new"][1])
    assert ("manifests" in made) == (platform == "all")
    assert made["annotations"][SOURCE] == str(lamella.Digest.of(json.dumps(index).encode()))


def test_a_docker_manifest_gets_no_annotations(tmp_path: Path, registry: MemoryRegistry) -> None:
    """Its format has none; a journal tells that it is done."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    value = json.loads(registry.manifests["team/app", "v1"][1])
    value["mediaType"] = kind
    registry.put("team/app", "v1", kind, json.dumps(value).encode())
    task = task_of(registry.host)
    made = run_task(task, Environment())
    assert "annotations" not in json.loads(registry.manifests["team/app", "slim"][1])
    assert run_task(task, Environment()).state == "squashed"
    known = Noted(made.source_digest, made.plan, made.digest)
    assert run_task(replace(task, known=known), Environment()).state == "unchanged"
    wrong = replace(known, digest="sha256:" + "0" * 64)
    assert run_task(replace(task, known=wrong), Environment()).state == "squashed"


def test_a_docker_manifest_is_copied_as_it_is(registry: MemoryRegistry) -> None:
    """Where there is nothing to squash, and no mark to set, not a byte of it changes."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    value = json.loads(registry.manifests["team/app", "v1"][1])
    raw = json.dumps({**value, "mediaType": kind}, indent=7).encode()
    registry.put("team/app", "v1", kind, raw)
    task = replace(task_of(registry.host), options={"max_layers": 9})
    assert run_task(task, Environment()).state == "copied"
    assert registry.manifests["team/app", "slim"][1] == raw


def test_archives_are_known_by_a_journal(tmp_path: Path) -> None:
    """They keep no annotations; what a journal says counts only if the file is still that one."""
    path = tmp_path / "app.tar"
    path.write_bytes(docker_archive(*TARS))
    task = Task(str(path), f"docker-archive:{tmp_path}/new.tar", "1")
    made = run_task(task, Environment())
    assert made.state == "squashed"
    known = replace(task, known=Noted(made.source_digest, made.plan, made.digest))
    assert run_task(known, Environment()).state == "unchanged"
    (tmp_path / "new.tar").unlink()
    assert run_task(known, Environment()).state == "squashed"


def test_a_layout_that_somebody_is_beginning(registry: MemoryRegistry, tmp_path: Path) -> None:
    """Several tasks make one new layout: of the first there may be blobs, and no index yet."""
    (tmp_path / "all/blobs/sha256").mkdir(parents=True)
    (tmp_path / "all/oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    task = replace(task_of(registry.host), destination=f"oci:{tmp_path}/all:v1")
    assert run_task(task, Environment()).state == "squashed"
    assert run_task(task, Environment()).state == "unchanged"


def test_a_dry_run_writes_nothing(registry: MemoryRegistry) -> None:
    """It tells what would be."""
    before = dict(registry.manifests)
    outcome = run_task(replace(task_of(registry.host), dry_run=True), Environment())
    assert (outcome.state, outcome.layers_after) == ("planned", 2)
    assert registry.manifests == before


@pytest.mark.parametrize("options", [{"last": 2}, {"auto": True}, {"max_layers": 1}])
def test_a_dry_run_fetches_no_layer_twice(
    registry: MemoryRegistry, tmp_path: Path, options: dict[str, Any]
) -> None:
    """Of a layer only the headers are kept, and remembered: the second run needs none at all.

    What it tells is what is done then.
    """
    cached = Environment(registry=RegistryOptions(cache=str(tmp_path / "cache")))
    layers = [one["digest"] for one in manifest_of(registry, "team/app", "v1")["layers"]]
    with front_of(registry.host) as front:
        task = replace(task_of(front.host), options=options)
        first = run_task(replace(task, dry_run=True), cached)
        fetched = [front.count(f"GET .*/blobs/{digest}") for digest in layers]
        assert max(fetched) == 1
        front.reset()
        second = run_task(replace(task, dry_run=True), cached)
        assert replace(second, seconds=first.seconds) == first
        assert [front.count(f"GET .*/blobs/{digest}") for digest in layers] == [0, 0, 0]
        done = run_task(task, cached)
    facts = ("layers_before", "layers_after", "bytes_before", "bytes_after", "reason")
    assert [getattr(first, fact) for fact in facts] == [getattr(done, fact) for fact in facts]


@pytest.mark.parametrize(
    ("since", "state"),
    [("2000-01-01", "squashed"), ("2100-01-01T00:00:00Z", "passed over")],
)
def test_what_is_too_old(registry: MemoryRegistry, since: str, state: str) -> None:
    """By the time in the config."""
    outcome = run_task(task_of(registry.host, since=since), Environment())
    assert outcome.state == state
    assert bool(outcome.reason) == (state == "passed over")


def test_a_failure_is_an_outcome(registry: MemoryRegistry) -> None:
    """With its exit code and its message; others go on."""
    task = replace(task_of(registry.host), source=f"docker://{registry.host}/team/app:none")
    outcome = run_task(task, Environment())
    assert (outcome.state, outcome.exit_code) == ("failed", 7)
    assert "no tag 'none'" in outcome.message
    assert not outcome.may_pass
    gone = run_task(replace(task, source="docker://127.0.0.1:1/app:1"), Environment())
    assert gone.may_pass


def test_tasks_and_outcomes_travel(registry: MemoryRegistry) -> None:
    """Both can be pickled and said in JSON, so any process can do them; no secret is in them."""
    task = task_of(registry.host)
    assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 - our own
    outcome = run_task(task, Environment())
    assert pickle.loads(pickle.dumps(outcome)) == outcome  # noqa: S301 - our own
    assert json.loads(json.dumps(outcome.to_json()))["version"] == 1


def test_the_plan_is_what_makes_another_result() -> None:
    """Not where it goes, nor whether it is verified, nor what is left at its default."""
    task = Task("a", "b", options={"last": 2})
    same = [
        replace(task, destination="c"),
        replace(task, check=True),
        replace(task, options={"last": 2, "auto": None, "layers": ()}),
    ]
    assert {one.plan for one in same} == {task.plan}
    others = [replace(task, layer="1"), replace(task, options={"last": 3})]
    others += [replace(others[0], base=f"sha256:{digit * 64}") for digit in "12"]
    assert len({task.plan, *(one.plan for one in others)}) == 5
    orders: list[dict[str, Any]] = [{"last": 2, "auto": True}, {"auto": True, "last": 2}]
    assert len({replace(task, options=options).plan for options in orders}) == 1
    assert isinstance(run_task(replace(task, source="-x-"), Environment()), Outcome)
