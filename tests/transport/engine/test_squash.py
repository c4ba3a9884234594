"""Squashing in real engines: what is read, what is moved, and what they have afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from lamella.api import squash as squash_image
from lamella.errors import ImageNotFound, InvalidReference, Unsupported
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import NotFetched, TarHeaders, has_content
from lamella.layer.spool import Spool
from lamella.spec.platform import Platform
from lamella.transport.base import Source
from lamella.transport.engine.inventory import Inventory
from lamella.transport.engine.location import EngineLocation
from lamella.transport.engine.options import EngineOptions
from lamella.transport.environment import Environment
from lamella.transport.file.location import FileLocation
from tests.engines.daemon import Engine
from tests.engines.images import build, load, unpack_anew
from tests.engines.rootfs import export_rootfs
from tests.engines.tools import Podman
from tests.support.images import docker_archive
from tests.support.progress import Recorder
from tests.transport.engine.proxy import proxy_of
from tests.transport.engine.squashing import (
    BASE,
    BASE_LAYERS,
    app,
    digests,
    engine_at,
    every,
    id_of,
    is_tidy,
    layers_of,
    options,
    source_of,
    squash,
    squash_engine,
    state_of,
    world,
)
from tests.transport.engine.test_save import TARS, with_attestation

__all__ = ["app"]

pytestmark = pytest.mark.engine


class CountingSpool(Spool):
    """Knows how much was written to it."""

    written = 0

    def write(self, file: BinaryIO, chunk: bytes | memoryview) -> None:
        """Count, and write."""
        self.written += len(chunk)
        super().write(file, chunk)


@dataclass(frozen=True)
class CountingEnvironment(Environment):
    """One in which it is known how much is written to the spool."""

    counter: CountingSpool = field(default_factory=CountingSpool)

    @property
    def spool(self) -> Spool:
        """Makes the files that are counted."""
        return self.counter


@contextmanager
def counted(name: str, chosen: EngineOptions, spool: CountingSpool) -> Iterator[Source]:
    """Open an image of an engine, with a spool that counts."""
    env = CountingEnvironment(engine=chosen, counter=spool)
    with EngineLocation("", name).open_source(None, env) as source:
        yield source


# -- reading


def test_description_needs_no_save(engine: Engine, app: str, tmp_path: Path) -> None:
    """Layers, history, IDs of older images and names, by questions alone."""
    with proxy_of(engine.socket, tmp_path) as proxy, source_of(proxy.host, app) as source:
        image = source.describe()
        assert not any("/get" in request for request in proxy.requests)
    assert list(image.diff_ids) == layers_of(engine, app)
    assert app in image.tags
    history = json.loads(engine.api("GET", f"/images/{app}/history")[1])
    assert [entry.get("created_by") for entry in image.config.history or ()] == [
        entry["CreatedBy"] for entry in reversed(history)
    ]
    assert image.history_ids[-1] == id_of(engine, app)
    assert image.config.value["config"]["Env"][-2:] == ["STAGE=two", "GREETING=hello there"]


def test_description_and_save_agree_on_the_history(engine: Engine, app: str) -> None:
    """Which steps made a layer is inferred before, and known after."""
    with source_of(engine.host, app) as source:
        described, saved = source.describe(), source.fetch(frozenset(), frozenset())
    assert [step.layer for step in described.steps() or ()] == [
        step.layer for step in saved.steps() or ()
    ]
    assert saved.id == (saved.manifest.config.digest if saved.manifest else id_of(engine, app))
    assert saved.history_ids == described.history_ids


def test_an_image_can_be_named_by_its_id(engine: Engine, app: str) -> None:
    """Whole or in part."""
    image_id = id_of(engine, app)
    for name in (image_id, image_id.removeprefix("sha256:"), image_id[7:19]):
        with source_of(engine.host, name) as source:
            assert list(source.describe().diff_ids) == layers_of(engine, app)


def test_only_needed_layers_are_kept(engine: Engine, app: str) -> None:
    """Of the base, which is most of the image, only headers; each layer is what it should be."""
    spool = CountingSpool()
    with counted(app, options(engine.host), spool) as source:
        count = len(source.describe().layers)
        squashed = frozenset(range(count - 2, count))
        image = source.fetch(squashed, frozenset({0}))
        assert isinstance(image.layers[0].blob, TarHeaders)
        assert all(isinstance(image.layers[i].blob, NotFetched) for i in range(1, count - 2))
        if not engine.containerd_store:
            assert spool.written < 300_000 < image.layers[0].blob.size
        whole = source.fetch(every(image), frozenset())
        with LayerOpener(Spool()) as opener:
            opener.open(whole.layers)
            for layer in whole.layers:
                opener.check(layer)
            opener.verify()


def test_headers_can_become_content_after_all(engine: Engine, app: str) -> None:
    """A second save, where a squash turns out to need a file of a lower layer."""
    told = Recorder()
    with source_of(engine.host, app, told) as source:
        headers = source.fetch(frozenset(), frozenset({0})).layers[0]
        assert not has_content(headers)
        assert told.phases == ["read from the engine"]
        with LayerOpener(Spool()) as opener:
            got, want = (
                opener.open([one])[0]
                for one in (headers, source.fetch(frozenset({0}), frozenset()).layers[0])
            )
            assert got.read_at(0, got.size) == want.read_at(0, want.size)
    assert told.phases == ["read from the engine"] * 3


def test_what_is_below_is_remembered(engine: Engine, app: str, tmp_path: Path) -> None:
    """The second time nothing of the base is looked at as it comes by; content is still there."""
    remembering = replace(options(engine.host), cache=str(tmp_path))
    said, spooled = [], []
    for _ in range(2):
        spool = CountingSpool()
        with counted(app, remembering, spool) as source:
            base = source.fetch(frozenset(), frozenset({0})).layers[0]
            spooled.append(spool.written)
            assert isinstance(base.blob, TarHeaders)
            said.append(base.blob.members(0))
            file = next(member for member in said[-1] if member.size)
            assert len(base.blob.read_at(file.data, file.size)) == file.size
    assert said[0] == said[1]
    assert spooled[1] < spooled[0]


def test_another_platform_is_refused(engine: Engine, app: str) -> None:
    """The API gives one platform; which, the message says."""
    wanted = Platform.parse("linux/s390x")
    refused = pytest.raises(Unsupported, match=r"has it for linux/\S+; expected linux/s390x")
    location, env = EngineLocation("", app), world(engine.host)
    with location.open_source(wanted, env) as source, refused:
        source.describe()
    mine = Platform.of_host()
    with location.open_source(mine, env) as source:
        assert source.describe().layers


def test_an_image_that_is_not_there(engine: Engine) -> None:
    """The message names it, the engine and what lists the others."""
    with (
        source_of(engine.host, "nowhere/never") as source,
        pytest.raises(ImageNotFound) as error,
    ):
        source.describe()
    assert f"'nowhere/never' in the Docker engine at {engine.host}" in str(error.value)
    assert "docker images" in str(error.value)
    with source_of(engine.host, "No:such:Name") as source, pytest.raises(InvalidReference):
        source.describe()


def test_tags_by_chain(engine: Engine, app: str) -> None:
    """Names stand under the exact layers of their image; several names of one are sorted."""
    engine.docker("tag", app, "engine-tests/again:z")
    with source_of(engine.host, app) as source:
        found = source.tags_by_chain()
    chain = digests(layers_of(engine, app))
    assert [tag for tag in found[chain] if tag.startswith("engine-tests/a")] == [
        "engine-tests/again:z",
        app,
    ]
    assert BASE in found[chain[:BASE_LAYERS]]
    engine.docker("rmi", "engine-tests/again:z")


# -- writing


def test_only_the_new_layer_is_sent(engine: Engine, app: str, tmp_path: Path) -> None:
    """The base stays where it is; the new image has its file system, one layer and its name."""
    tag = "engine-tests/squashed:sent"
    with proxy_of(engine.socket, tmp_path) as proxy:
        proxy.watch = "/images/load$"
        # An image that no other test has made: one that is there is not sent at all.
        image_id = squash_engine(proxy.host, app, tag, message="sent")
    assert 0 < proxy.sent < 300_000, "the base has 2 MB"
    assert id_of(engine, tag) == image_id
    layers = layers_of(engine, tag)
    assert layers[:-1] == layers_of(engine, app)[:BASE_LAYERS]
    assert export_rootfs(engine, tag) == export_rootfs(engine, app)


@pytest.mark.parametrize("name", ["docker_classic", "docker_modern"])
def test_the_new_layer_goes_to_no_file_of_ours(name: str, request: pytest.FixtureRequest) -> None:
    """The classic store takes it while it is made: lamella may be forbidden to write files."""
    engine: Engine = request.getfixturevalue(name)
    tag, content = "engine-tests/stream:1", os.urandom(300_000)
    load(engine, tag, *((name, content) for name in "xyz"))
    lamella = Path(sys.executable).with_name("lamella")
    names = (tag, "#1", "engine-tests/stream:2")
    subprocess.run(
        ["prlimit", "--fsize=100000", lamella, "squash", *names, "--source", "local"],
        check=True,
        env={**os.environ, **engine.environment},
    )
    assert export_rootfs(engine, "engine-tests/stream:2") == export_rootfs(engine, tag)


def test_the_middle_of_an_image(engine: Engine, app: str) -> None:
    """Layers above the new one are kept; the classic store has to be sent them again."""
    tag = "engine-tests/squashed:middle"
    squash_engine(engine.host, app, tag, ranges=[range(2, 5), range(6, 8)])
    old, new = layers_of(engine, app), layers_of(engine, tag)
    assert (new[:2], new[3], new[5:]) == (old[:2], old[5], old[8:])
    assert export_rootfs(engine, tag) == export_rootfs(engine, app)


def test_kept_layers_are_fetched_if_they_were_not(engine: Engine, app: str) -> None:
    """Without being asked before, at the cost of a second save where the store needs it."""
    tag, told = "engine-tests/squashed:again", Recorder()
    with source_of(engine.host, app, told) as source:
        destination = engine_at(engine.host, told)
        ranges = [range(2, 5)]
        squash(source, destination, tag, ranges=ranges, message="again", needs=frozenset())
    assert told.phases.count("read from the engine") == (1 if engine.containerd_store else 2)
    assert export_rootfs(engine, tag) == export_rootfs(engine, app)


def test_the_whole_image(engine: Engine, app: str) -> None:
    """Nothing is kept, nothing left out."""
    tag = "engine-tests/squashed:whole"
    count = len(layers_of(engine, app))
    squash_engine(engine.host, app, tag, ranges=[range(count)])
    assert len(layers_of(engine, tag)) == 1
    assert export_rootfs(engine, tag) == export_rootfs(engine, app)


def test_the_same_squash_again_moves_nothing(engine: Engine, app: str, tmp_path: Path) -> None:
    """The engine has the image already: it only gets its name, and a load that began ends."""
    first = squash_engine(engine.host, app, "engine-tests/squashed:one", message="twice")
    with proxy_of(engine.socket, tmp_path) as proxy:
        proxy.watch = "/images/load$"
        second = squash_engine(proxy.host, app, "engine-tests/squashed:two", message="twice")
        assert proxy.sent == 0 or not engine.containerd_store
    assert is_tidy(engine)
    assert first == second == id_of(engine, "engine-tests/squashed:two")


def test_several_names(engine: Engine, app: str) -> None:
    """All are given; a name that another image had moves, and that image stays."""
    old = squash_engine(engine.host, app, "engine-tests/names:a", message="old")
    tags = ("engine-tests/names:a", "engine-tests/names", "docker.io/engine-tests/names:c")
    new = squash_engine(engine.host, app, *tags, message="new")
    assert new != old
    assert {id_of(engine, tag) for tag in tags} == {new}
    assert engine.inspect(old)["RepoTags"] == []


def test_the_new_image_runs(engine: Engine, app: str) -> None:
    """Command, environment and working directory are the old ones."""
    tag = "engine-tests/squashed:run"
    squash_engine(engine.host, app, tag, message="run")
    shown = [engine.docker("run", "--rm", "--network=none", name) for name in (app, tag)]
    assert shown[0] == shown[1] != ""


def test_compression_is_that_of_the_neighbours(docker_containerd: Engine) -> None:
    """In the containerd store, which keeps and pushes layers as they are."""
    engine = docker_containerd
    build(engine, "engine-tests/small:1", "FROM scratch\nCOPY Dockerfile /a\nCOPY Dockerfile /b\n")
    squash_engine(engine.host, "engine-tests/small:1", "engine-tests/small:2", ranges=[range(2)])
    with source_of(engine.host, "engine-tests/small:2") as source:
        image = source.fetch(frozenset({0}), frozenset())
        assert image.layers[0].compression == "gzip"
        assert image.layers[0].descriptor is not None
        assert image.layers[0].descriptor.media_type.endswith("gzip")


def test_attestations_are_left_out(docker_containerd: Engine) -> None:
    """They tell of the digest of the image they belong to; the new one has another."""
    engine, tag, told = docker_containerd, "engine-tests/attested:1", Recorder()
    made = with_attestation(TARS)
    made.entries[0]["annotations"] = {"io.containerd.image.name": f"docker.io/{tag}"}
    engine.docker("load", input=made.tar())
    squash_engine(engine.host, tag, "engine-tests/attested:2", progress=told)
    assert any("attestations" in line for line in told.lines)
    assert layers_of(engine, "engine-tests/attested:2")[0] == layers_of(engine, tag)[0]
    with source_of(engine.host, "engine-tests/attested:2") as source:
        manifest = source.fetch(frozenset(), frozenset()).manifest
    assert manifest is not None
    assert manifest.digest == id_of(engine, "engine-tests/attested:2")
    assert [layer.annotations for layer in manifest.layers] == [{"layer": "0"}, {}]


def test_podman_is_an_engine_too(podman: Podman) -> None:
    """Over its Docker-compatible socket; of the layers that stay nothing is sent."""
    tag, told = "engine-tests/podman:1", Recorder()
    archive = podman.work / "image.tar"
    archive.write_bytes(docker_archive(*TARS, tags=[f"localhost/{tag}"], history=None))
    podman("load", "--input", archive)
    with source_of(podman.host, tag) as source:
        old = source.describe()
    image_id = squash_engine(podman.host, tag, "localhost/engine-tests/podman:2", progress=told)
    with source_of(podman.host, "localhost/engine-tests/podman:2") as source:
        new = source.fetch(frozenset(), frozenset())
        assert source.remove(new_tags=[]) is None
    assert new.id == image_id
    assert new.diff_ids[:BASE_LAYERS] == old.diff_ids[:BASE_LAYERS]
    assert told.phases.count("load into the engine") == 1
    assert told.bytes["load into the engine"] < len(TARS[0])


# -- from elsewhere


def test_a_base_that_the_engine_lacks_is_sent(
    engine: Engine, docker_classic: Engine, tmp_path: Path
) -> None:
    """From an archive, with layers that this engine never saw."""
    content = engine.name.encode() * 1000
    tag = f"engine-tests/from-{engine.name}:1"
    load(docker_classic, tag, *((name, content) for name in "abc"))
    archive = tmp_path / "image.tar"
    archive.write_bytes(docker_classic.docker_bytes("save", tag))
    location = FileLocation("docker-archive", str(archive))
    target = f"engine-tests/to-{engine.name}:1"
    with location.open_source(None, Environment()) as source:
        destination = engine_at(engine.host)
        image_id = squash(source, destination, target)
    assert id_of(engine, target) == image_id
    assert layers_of(engine, target)[:1] == layers_of(docker_classic, tag)[:1]
    assert set(export_rootfs(engine, target)) >= {"/a", "/b", "/c"}


def test_from_one_engine_to_another(
    engine: Engine, docker_classic: Engine, docker_containerd: Engine
) -> None:
    """The base was left in the first; the second lacks it, so it is fetched, and all is sent."""
    origin = docker_classic if engine.containerd_store else docker_containerd
    content = f"{engine.name} to another".encode() * 1000
    tag, target = f"engine-tests/at-{engine.name}:1", f"engine-tests/moved-{engine.name}:1"
    load(origin, tag, *((name, content) for name in "abc"))
    before = state_of(engine)
    with source_of(origin.host, tag) as source:
        destination = engine_at(engine.host)
        image_id = squash(source, destination, target)
    assert state_of(engine) == {**before, image_id: [target]}
    assert layers_of(engine, target)[:1] == layers_of(origin, tag)[:1]
    assert export_rootfs(engine, target) == export_rootfs(origin, tag)


def test_an_engine_is_asked_before_anything_is_fetched(
    engine: Engine, docker_classic: Engine
) -> None:
    """Of an image of another engine only those layers are wanted that are not here."""
    content = f"{engine.name} is asked".encode() * 1000
    tag = f"engine-tests/asked-{engine.name}:1"
    load(docker_classic, tag, *((name, content) for name in "abc"))
    with source_of(docker_classic.host, tag) as source:
        image = source.describe()
        wanted = []
        for here in (False, True):
            if here:
                load(engine, f"{tag}-base", ("a", content))
            with engine_at(engine.host) as destination:
                wanted.append(destination.needs(image, [range(1, 3)], source))
    # The containerd store is asked for digests, and an image of the classic one has none.
    kept_apart = engine.containerd_store
    own = engine is docker_classic
    assert wanted == [frozenset() if own else {0}, {0} if kept_apart else frozenset()]


def test_a_layer_that_is_gone_in_the_last_moment_is_sent(
    engine: Engine,
    docker_classic: Engine,
    docker_containerd: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine refuses what it was thought to have, or breaks it: then all is sent."""
    origin = docker_classic if engine.containerd_store else docker_containerd
    content = f"{engine.name} lost a layer".encode() * 1000
    tag, target = f"engine-tests/lost-{engine.name}:1", f"engine-tests/found-{engine.name}:1"
    load(origin, tag, *((name, content) for name in "abc"))
    before, told = state_of(engine), Recorder()
    monkeypatch.setattr(Inventory, "has", lambda *_, **__: True)
    with source_of(origin.host, tag) as source:
        destination = engine_at(engine.host, told)
        image_id = squash(source, destination, target)
    assert told.phases.count("load into the engine") == 2
    assert state_of(engine) == {**before, image_id: [target]}
    assert export_rootfs(engine, target) == export_rootfs(origin, tag)


# -- --cleanup


def remove(engine: Engine, name: str, *tags: str, message: str) -> str | None:
    """Squash an image and remove the old one; say why it was kept."""
    with source_of(engine.host, name) as source:
        source.describe()
        squash_engine(engine.host, name, *tags, message=message)
        return source.remove(new_tags=tags)


def test_cleanup_with_another_name(engine: Engine, app: str) -> None:
    """The old name goes; other names of the same image stay, and so does the new one."""
    engine.docker("tag", app, "engine-tests/old:1")
    assert remove(engine, "engine-tests/old:1", "engine-tests/new:1", message="c1") is None
    with pytest.raises(LookupError):
        engine.inspect("engine-tests/old:1")
    assert id_of(engine, app) != id_of(engine, "engine-tests/new:1")


def test_cleanup_with_the_same_name(engine: Engine, app: str) -> None:
    """The name is the new image's: what goes is the old one, which has no other."""
    tag = "engine-tests/same:1"
    build(engine, tag, f"FROM {BASE}\nCOPY Dockerfile /1\nCOPY Dockerfile /2\n")
    old = id_of(engine, tag)
    assert remove(engine, tag, tag, message="c2") is None
    with pytest.raises(LookupError):
        engine.inspect(old)
    assert len(layers_of(engine, tag)) == BASE_LAYERS + 1


def test_cleanup_keeps_an_image_that_has_another_name(engine: Engine, app: str) -> None:
    """The name moved on, and the old image is still called something."""
    engine.docker("tag", app, "engine-tests/other:1")
    kept = remove(engine, "engine-tests/other:1", "engine-tests/other:1", message="c3")
    assert kept is not None
    assert f"also called {app}" in kept
    assert layers_of(engine, app)


def test_cleanup_by_id_keeps_an_image_of_several_names(engine: Engine, app: str) -> None:
    """By its ID Docker would remove all of them."""
    engine.docker("tag", app, "engine-tests/several:1")
    kept = remove(engine, id_of(engine, app), "engine-tests/new:4", message="c4")
    assert kept is not None
    assert "engine-tests/several:1" in kept
    engine.docker("rmi", "engine-tests/several:1")


def test_cleanup_keeps_an_image_in_use(engine: Engine, app: str) -> None:
    """A container was made of it: the engine says so, and nothing is forced."""
    tag = "engine-tests/used:1"
    build(engine, tag, f"FROM {BASE}\nCOPY Dockerfile /u1\nCOPY Dockerfile /u2\n")
    container = engine.docker("create", tag, "sh").strip()
    kept = remove(engine, tag, "engine-tests/used:2", message="c5")
    assert kept is not None
    assert container[:12] in kept
    assert layers_of(engine, tag)
    engine.docker("rm", container)


def test_cleanup_of_an_image_that_is_gone(engine: Engine, app: str) -> None:
    """Somebody else was faster."""
    engine.docker("tag", app, "engine-tests/gone:1")
    with source_of(engine.host, "engine-tests/gone:1") as source:
        source.describe()
        engine.docker("rmi", "engine-tests/gone:1")
        assert source.remove(new_tags=["engine-tests/elsewhere:1"]) is not None


# -- --exclude, --clamp-mtime, --remove-secrets

LATEST = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
"""Earlier than all that is built here."""
LEFT_OUT = ("/srv/data/", "/opt/owned/deep", "/capable", "/root/.ssh/id_rsa", "/root/key")


def test_what_is_asked_for_and_nothing_else_is_another_thing(
    engine: Engine, podman: Podman, app: str, tmp_path: Path
) -> None:
    """Paths and secrets are gone in containers, times are earlier; in the engine and in Podman.

    Of the base something goes by a whiteout, of a squashed layer altogether.
    """
    key, tag = "-----BEGIN OPENSSH PRIVATE KEY-----", "engine-tests/left-out:1"
    made = f"mkdir -p /root/.ssh && echo {key} >/root/.ssh/id_rsa && ln /root/.ssh/id_rsa /root/key"
    build(engine, "engine-tests/secret:1", f"FROM {app}\nRUN {made}\n")
    if engine.containerd_store:
        unpack_anew(engine, "engine-tests/secret:1")
    exclude = ["srv/data", "!srv/data/two", "opt/owned/deep", "capable"]
    env, archive = world(engine.host), tmp_path / "edited.tar"
    for output in (None, f"docker-archive:{archive}"):
        result = squash_image(
            "engine-tests/secret:1",
            "1",
            tag,
            output=output,
            exclude=exclude,
            clamp_mtime=LATEST,
            remove_secrets=True,
            check=True,
            env=env,
        )
        assert result.verified
        assert {found.path for found in result.secrets} == {b"root/.ssh/id_rsa", b"root/key"}
    latest = int(LATEST.timestamp()) * 10**9
    before, base = export_rootfs(engine, "engine-tests/secret:1"), export_rootfs(engine, BASE)
    del before["/"]  # no layer has an entry for the root: each engine makes its own
    gone = {p for p in before if p.startswith(LEFT_OUT)} - {"/srv/data/two"}
    podman("load", "-i", str(archive))
    for after in (export_rootfs(engine, tag), export_rootfs(podman, f"localhost/{tag}")):
        del after["/"]
        assert before.keys() - after.keys() == gone
        assert {path: replace(node, mtime=0) for path, node in after.items()} == {
            path: replace(node, mtime=0) for path, node in before.items() if path not in gone
        }
        for path, node in after.items():
            old = before[path].mtime
            assert node.mtime in {old, min(old, latest)}, path
            assert node.mtime <= latest or base[path].mtime == old, path
