"""``lamella.batch`` and ``lamella.plan``: what a program can ask for, and what it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import lamella
from lamella.fleet.bases import Bases
from lamella.progress import SILENT
from lamella.transport.registry.options import Backoff, RegistryOptions
from lamella.transport.transports import parse_location
from tests.fleet.conftest import NAMES
from tests.odd.answers import Oddly
from tests.odd.engine import engine_in_memory
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.images import docker_archive, image
from tests.support.tars import layer
from tests.transport.forms import TARS
from tests.transport.registry.faulty import front_of

SLIM = "docker://{host}/{repository}:{tag}-slim"
ONCE = lamella.Environment(registry=RegistryOptions(backoff=Backoff(tries=1)))


def states(found: lamella.Batch) -> list[str]:
    """Return what came of the images, in order of their names."""
    return [one.state for one in sorted(found, key=lambda one: one.source)]


def test_outcomes_come_as_images_end(registry: MemoryRegistry) -> None:
    """A typed sample; the second run leaves alone what is done, and results are no sources."""
    pattern = f"docker://{registry.host}/team/*:v*"
    found: lamella.Batch = lamella.batch(pattern, SLIM, last=2)
    assert (found.images, found.results) == (3, ())
    outcomes: list[lamella.Outcome] = list(found)
    assert {one.state for one in outcomes} == {"squashed"}
    for one in outcomes:
        assert lamella.verify(one.source, one.destination) == []
    again = lamella.batch(pattern, SLIM, last=2)
    assert len(again.results) == 3
    assert states(again) == ["unchanged"] * 3


def test_nothing_is_begun_before_it_is_asked_for(registry: MemoryRegistry) -> None:
    """But which images there are is known."""
    before = dict(registry.manifests)
    with lamella.batch(f"docker://{registry.host}/team/app:*", SLIM, last=2) as found:
        assert found.images == 3
    assert registry.manifests == before
    assert list(found) == []


def test_images_are_named_in_several_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One or several; a path; and with a LAYER and a destination of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.tar", "b.tar", "c [1].tar"):
        Path(name).write_bytes(docker_archive(*TARS))
    to = "oci:all:{name}"
    assert states(lamella.batch("a.tar", to)) == ["squashed"]
    assert states(lamella.batch(Path("a.tar"), to)) == ["unchanged"]
    found = lamella.batch([Path("c [1].tar"), lamella.Listed("b.tar", "1", "oci:all:own")], to)
    layers = {one.source: one.layers_after for one in found}
    assert layers == {"./c [1].tar": 1, "b.tar": 2}
    assert lamella.verify("b.tar", "oci:all:own") == []
    assert states(lamella.batch(lamella.Listed("b.tar", "1", "oci:all:own"))) == ["unchanged"]


def test_options_are_those_of_squash(tmp_path: Path) -> None:
    """As values or as text; equal ones make equal results."""
    (tmp_path / "a.tar").write_bytes(docker_archive(*TARS))
    to = f"oci:{tmp_path}/all:x"
    plain = lamella.Compression(lamella.Codec.NONE)
    one = lamella.batch(tmp_path / "a.tar", to, layers=range(1, 3), compression=plain)
    assert states(one) == ["squashed"]
    same: dict[str, Any] = {"layers": "2-3", "compression": "none"}
    assert states(lamella.batch(tmp_path / "a.tar", to, **same)) == ["unchanged"]
    wanted = lamella.squash(tmp_path / "a.tar", dry_run=True, layers="2-3")
    with lamella.open_image(to) as image:
        assert len(image.layers) == wanted.layers_after


def test_changes_of_documents_are_options_too(tmp_path: Path) -> None:
    """In which order names are given is no matter; in which order instructions are, it is."""
    (tmp_path / "a.tar").write_bytes(docker_archive(*TARS))

    def run(**options: Any) -> list[str]:  # noqa: ANN401 - see SquashOptions
        to = f"oci:{tmp_path}/all:x"
        return states(lamella.batch(tmp_path / "a.tar", to, last=1, history="drop", **options))

    given: dict[str, Any] = {"annotations": {"a": "1", "b": "2"}, "unset_env": ["A", "B"]}
    same: dict[str, Any] = {"annotations": {"b": "2", "a": "1"}, "unset_env": ["B", "A"]}
    assert run(change=["ENV X=1", "ENV X=2"], redact=True, **given) == ["changed"]
    assert run(change=["ENV X=1", "ENV X=2"], redact=True, **same) == ["unchanged"]
    assert run(change=["ENV X=2", "ENV X=1"], redact=True, **same) == ["changed"]
    with pytest.raises(lamella.UsageError, match="`change` 'FOO': expected one of"):
        run(change="FOO")
    with pytest.raises(lamella.UsageError, match="`annotations` 'index:': expected KEY"):
        run(annotations={"index:": ""})


def test_a_plan_is_carried_out(registry: MemoryRegistry, tmp_path: Path) -> None:
    """What it promises is what is stored, to the byte."""
    plan: lamella.FleetPlan = lamella.plan(f"docker://{registry.host}/team/*:v*", max_layers=1)
    assert len(plan.images) == 3
    found = lamella.batch(plan, f"oci:{tmp_path}/all:{{name}}-{{tag}}", compression="none")
    assert states(found) == ["squashed"] * 3
    blobs = [path.read_bytes() for path in (tmp_path / "all/blobs/sha256").iterdir()]
    assert sum(len(blob) for blob in blobs if not blob.startswith(b"{")) == plan.stored_after


def test_a_plan_names_what_it_leaves_out(registry: MemoryRegistry) -> None:
    """With the exit code that a squash of it would have."""
    name = f"docker://{registry.host}/team/app"
    plan = lamella.plan([f"{name}:v1", f"{name}:none"])
    assert [one.image.name for one in plan.images] == [f"{name}:v1"]
    assert [(one.name, one.exit_code) for one in plan.unread] == [(f"{name}:none", 7)]
    with pytest.raises(lamella.UsageError, match="no images: name some"):
        lamella.plan([])


def test_a_journal_tells_what_is_done(tmp_path: Path) -> None:
    """Where results can't say it."""
    (tmp_path / "a.tar").write_bytes(docker_archive(*TARS))
    words: dict[str, Any] = {"journal": tmp_path / "journal", "resume": True}
    for state in ("squashed", "unchanged"):
        found = lamella.batch(tmp_path / "a.tar", f"docker-archive:{tmp_path}/new.tar", **words)
        assert states(found) == [state]
    lines = (tmp_path / "journal").read_text().splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["squashed", "unchanged"]


class Cancelling:
    """Cancels when the third image begins; a `Watch`."""

    def __init__(self, env: lamella.Environment) -> None:
        self._env, self._begun, self._lock = env, 0, threading.Lock()

    def begin(self, source: str) -> lamella.Progress:
        """Count it."""
        del source
        with self._lock:
            self._begun += 1
            if self._begun == 3:
                self._env.cancel()
        return SILENT

    def end(self, source: str) -> None:
        """Nothing."""


def test_another_thread_may_cancel_it(registry: MemoryRegistry) -> None:
    """What is under way ends in an error, nothing more is begun, and what is done stays."""
    env = lamella.Environment()
    watch: lamella.Watch = Cancelling(env)
    pattern = f"docker://{registry.host}/**"
    found = lamella.batch(pattern, SLIM, last=2, jobs=1, watch=watch, env=env)
    done: list[lamella.Outcome] = []
    with pytest.raises(lamella.Cancelled, match="cancelled; images that are done stay"):
        done.extend(found)
    assert sum(tag.endswith("-slim") for _, tag in registry.manifests) == 2
    again = list(lamella.batch(pattern, SLIM, last=2))
    assert sorted(one.state for one in again) == ["squashed"] * 3 + ["unchanged"] * 2
    with pytest.raises(lamella.Cancelled):
        lamella.batch(pattern, SLIM, env=env)


def test_what_comes_before_a_cancel_is_told(registry: MemoryRegistry) -> None:
    """Each outcome is handed over when its image ends, not at the end of all."""
    env = lamella.Environment()
    found = lamella.batch(f"docker://{registry.host}/**", SLIM, last=2, jobs=1, env=env)
    assert next(found).state == "squashed"
    env.cancel()
    with pytest.raises(lamella.Cancelled):
        list(found)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"engine": "ray"}, "`engine` 'ray': expected local, dask or dask=tcp"),
        ({"engine": "local=x"}, "expected local, dask"),
        ({"resume": True}, "`resume` goes with `journal`"),
        ({"since": "soon"}, "`since` 'soon': expected a time like"),
        ({"last": 1, "auto": True}, "`last` and `auto` exclude each other"),
        ({"what": []}, "no images: name some"),
        ({"to": ""}, "no destination; give `to`"),
        ({"created": "soon"}, "`created` 'soon'"),
    ],
)
def test_wrong_usage(words: dict[str, Any], told: str) -> None:
    """It is told at once, in the words of the calls."""
    with pytest.raises(lamella.UsageError, match=told):
        lamella.batch(**{"what": "a:1", "to": "b:{tag}", **words})


def test_a_shard_is_one_that_there_is() -> None:
    """Or nothing would be done, and nobody would hear of it."""
    with pytest.raises(lamella.UsageError, match="shard 5/4: expected I/N"):
        lamella.Shard(5, 4)


# -- what else makes a result out of date


def test_the_time_of_new_images_counts(registry: MemoryRegistry) -> None:
    """SOURCE_DATE_EPOCH is an option like any other, unless a time is given."""
    name = f"docker://{registry.host}/team/app:v1"
    one, two = (replace(ONCE, source_date_epoch=text) for text in ("1000000000", "1000000001"))
    assert states(lamella.batch(name, SLIM, last=2, env=one)) == ["squashed"]
    assert states(lamella.batch(name, SLIM, last=2, env=one)) == ["unchanged"]
    assert states(lamella.batch(name, SLIM, last=2, env=two)) == ["squashed"]
    given = "2026-01-31T12:00:00Z"
    assert states(lamella.batch(name, SLIM, last=2, created=given, env=one)) == ["squashed"]
    assert states(lamella.batch(name, SLIM, last=2, created=given, env=two)) == ["unchanged"]
    with lamella.open_image(f"{name}-slim") as image:
        assert image.config.text("created") == given


def push(host: str, folder: Path, name: str, *tars: bytes) -> None:
    """Put an image of some layers, as they are."""
    (folder / "pushed.tar").write_bytes(docker_archive(*tars))
    lamella.squash(folder / "pushed.tar", layers="1-1", output=f"docker://{host}/{name}")


@pytest.fixture
def based(tmp_path: Path) -> Iterator[MemoryRegistry]:
    """A registry with three images on one base."""
    below, lib = layer(("os", b"0")), layer(("lib", b"1"))
    with registry_in_memory(Oddly(0)) as registry:
        for number in range(3):
            tars = [below, lib, layer(("a", b"%d" % number)), layer(("b", b"2"))]
            push(registry.host, tmp_path, f"fleet/app{number}:1", *tars)
        push(registry.host, tmp_path, "fleet-base/os:12", below)
        push(registry.host, tmp_path, "fleet-base/os:next", below, lib)
        yield registry


@pytest.mark.parametrize("form", ["docker://{host}/fleet-base/os:12", "fleet-base/os:12"])
def test_a_base_that_moves_counts(based: MemoryRegistry, form: str) -> None:
    """It is looked up once for all images, whether its registry is named or not."""
    with front_of(based.host) as front, lamella.Environment() as env:
        words: dict[str, Any] = {"to": SLIM, "base": form.format(host=front.host), "env": env}
        pattern = f"docker://{front.host}/fleet/*:1"
        found = list(lamella.batch(pattern, **words))
        assert [(one.state, one.layers_after) for one in found] == [("squashed", 2)] * 3
        front.reset()
        assert states(lamella.batch(pattern, **words)) == ["unchanged"] * 3
        assert front.count(".* /v2/fleet-base/os/manifests/12") == 1
        assert front.count(".*/manifests/") == 1 + 2 * 3
        based.put("fleet-base/os", "12", *based.manifests["fleet-base/os", "next"])
        moved = list(lamella.batch(pattern, **words))
        assert [(one.state, one.layers_after) for one in moved] == [("squashed", 3)] * 3
        assert states(lamella.batch(pattern, **words)) == ["unchanged"] * 3


def test_a_layer_that_is_no_image_costs_nothing(based: MemoryRegistry) -> None:
    """Two requests an image, as ever."""
    with front_of(based.host) as front, lamella.Environment() as env:
        pattern = f"docker://{front.host}/fleet/*:1"
        with lamella.open_image(f"docker://{front.host}/fleet/app0:1") as image:
            names = ["1", str(image.chain_ids[0]), image.diff_ids[0].hex[:12]]
        for name in names:
            assert states(lamella.batch(pattern, SLIM, name, env=env)) == ["squashed"] * 3
            front.reset()
            assert states(lamella.batch(pattern, SLIM, name, env=env)) == ["unchanged"] * 3
            assert front.count(".*/manifests/") == 2 * 3


def test_a_base_that_can_not_be_looked_up(based: MemoryRegistry) -> None:
    """It costs the images that need it; the others are done. One that is not there is told so."""
    name = f"docker://{based.host}/fleet"
    wanted = [
        lamella.Listed(f"{name}/app0:1", "docker://127.0.0.1:1/base:1"),
        lamella.Listed(f"{name}/app1:1", "1"),
        lamella.Listed(f"{name}/app2:1", f"docker://{based.host}/fleet-base/os:none"),
    ]
    found = sorted(lamella.batch(wanted, SLIM, env=ONCE), key=lambda one: one.source)
    assert [(one.state, one.exit_code) for one in found] == [
        ("failed", 5),
        ("squashed", 0),
        ("failed", 7),
    ]
    assert "can't reach 127.0.0.1:1" in found[0].message


def test_names_in_an_archive_are_looked_up_there(tmp_path: Path) -> None:
    """A base that has no place of its own is in the same archive."""
    (tmp_path / "a.tar").write_bytes(docker_archive(*TARS, tags=["app:1"]))
    to = f"oci:{tmp_path}/all:x"
    assert states(lamella.batch(tmp_path / "a.tar", to, "app:1")) == ["copied"]
    [failed] = lamella.batch(tmp_path / "a.tar", to, "other:1")
    assert (failed.exit_code, "other:1" in failed.message) == (2, True)


def test_images_of_an_engine(tmp_path: Path) -> None:
    """They match by their names; a bare LAYER is another image of the engine, known by its ID."""
    archive, config = docker_archive(*TARS, tags=["app:1"]), image(*TARS).config.raw
    with engine_in_memory(Oddly(0), archive, config, tmp_path) as address:
        env = lamella.Environment(engine=lamella.EngineOptions({"DOCKER_HOST": address}))
        with env:
            for pattern in ("docker-daemon:*", "docker-daemon:a*:[0-9]"):
                found = lamella.batch(pattern, f"oci:{tmp_path}/all:{{tag}}", env=env)
                assert {one.source for one in found} == {"docker-daemon:app:1"}
            with pytest.raises(
                lamella.ImageNotFound, match=r"no image matches 'docker-daemon:b\*'"
            ):
                lamella.batch("docker-daemon:b*", "oci:x", env=env)
            source = parse_location("docker-daemon:app:1")
            with lamella.open_image("app:1", env=env) as opened:
                assert Bases(env).find("app:1", source) == ("app:1", str(opened.id))
            assert Bases(env).find("2", source) == ("2", "")


# -- logins


def test_a_refused_login_is_not_tried_again(registry: MemoryRegistry) -> None:
    """It will not be taken the next time; the exit code is that of a registry that fails."""
    name = f"docker://{registry.host}/{NAMES[0]}"
    registry.guarded, registry.login = True, "me:secret"
    [outcome] = lamella.batch(name, "docker://{host}/x", retries=3, env=ONCE)
    assert (outcome.state, outcome.exit_code, outcome.tries) == ("failed", 5, 1)
    assert "401" in outcome.message
    registry.guarded = False
    with front_of(registry.host) as front:
        front.add("(POST|PUT|PATCH) .*", times=99, status=403)
        name = f"docker://{front.host}/{NAMES[0]}"
        [outcome] = lamella.batch(name, "docker://{host}/x", retries=3, env=ONCE)
    assert (outcome.state, outcome.exit_code, outcome.tries) == ("failed", 5, 1)


def test_options_have_the_types_of_squash() -> None:
    """With the same types; what squash has no name for is refused as Python does."""
    parameters = get_type_hints(lamella.squash)
    options = get_type_hints(lamella.SquashOptions)
    assert {name: parameters[name] for name in options} == options
    with pytest.raises(TypeError, match="unexpected keyword argument 'lats'"):
        lamella.batch("a.tar", "oci:b", lats=2)  # type: ignore[call-arg]
