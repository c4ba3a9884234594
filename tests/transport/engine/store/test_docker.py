"""Layers read where an engine keeps them: the same image as by its API, or an error."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from bench import images
from lamella.api import squash as squash_image
from lamella.errors import DigestMismatch, EngineError, ImageError
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import NotFetched
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.progress import SILENT, Progress
from lamella.spec.digest import Digest, chain_ids
from lamella.transport.engine.client import EngineClient
from lamella.transport.engine.host import Host
from lamella.transport.engine.location import EngineLocation
from lamella.transport.engine.options import EngineOptions
from lamella.transport.engine.source import EngineSource
from lamella.transport.environment import Environment
from tests.engines.daemon import Engine
from tests.engines.images import load
from tests.support.progress import Recorder
from tests.transport.engine.proxy import proxy_of
from tests.transport.engine.squashing import (
    app,
    digests,
    every,
    is_tidy,
    layers_of,
    squash,
    state_of,
)
from tests.transport.engine.test_save import TARS, with_attestation

__all__ = ["app"]

pytestmark = pytest.mark.engine

Reading = Literal["auto", "api", "local"]
READINGS: tuple[Reading, ...] = ("api", "local", "auto")
TAG = "engine-tests/in-place:1"


@contextmanager
def reading(
    host: str, name: str, how: Reading = "local", progress: Progress = SILENT
) -> Iterator[EngineSource]:
    """Open an image of an engine, to be read in one way."""
    chosen = EngineOptions({"DOCKER_HOST": host}, source=how)
    env = Environment(progress=progress, engine=chosen)
    with env.connections.used(), EngineSource(name, None, chosen, env) as source:
        yield source


def squash_by(engine: Engine, name: str, how: Reading, *tags: str, message: str = "") -> str:
    """Squash within an engine; return the new ID."""
    with reading(engine.host, name, how) as source:
        env = Environment(engine=source.options)
        destination = EngineLocation("", "").open_destination(env)
        return squash(source, destination, *tags, message=message)


def verified(image: Image) -> list[Digest]:
    """Read all layers and compare them with their digests; return those."""
    with LayerOpener(Spool()) as opener:
        for layer in image.layers:
            opener.check(layer)
        opener.verify()
    return [layer.diff_id for layer in image.layers]


def loaded(engine: Engine, name: str, steps: int = 3) -> str:
    """Load an image that a test may spoil: nothing of it is in another one."""
    load(engine, name, *((f"d/file{i}", os.urandom(9000)) for i in range(steps)))
    return name


@pytest.fixture(scope="module")
def whole(docker_classic: Engine) -> str:
    """Name an image which tests spoil only for our eyes, and only as long as we look."""
    return loaded(docker_classic, "engine-tests/whole:1")


def place_of(engine: Engine, name: str, position: int = -1) -> Path:
    """Where the classic store keeps what it knows of a layer."""
    chain = chain_ids(digests(layers_of(engine, name)))
    return engine.data_root / "image/overlay2/layerdb/sha256" / chain[position].hex


def content_of(engine: Engine, name: str, position: int = -1) -> Path:
    """Where the files of a layer are."""
    cache_id = (place_of(engine, name, position) / "cache-id").read_text()
    return engine.data_root / "overlay2" / cache_id / "diff"


# -- the same image


def test_the_same_image_as_by_the_api(engine: Engine, app: str) -> None:
    """Hard links, capabilities, whiteouts, odd names: the squashed image has the same ID."""
    ids = {how: squash_by(engine, app, how, f"{TAG}-{how}", message="in place") for how in READINGS}
    assert len(set(ids.values())) == 1
    assert len({tuple(layers_of(engine, f"{TAG}-{how}")) for how in ids}) == 1


def test_nothing_stays_open(engine: Engine, app: str) -> None:
    """Not even until Python looks for circles; a registry of builds squashes all day long."""
    for how in READINGS:
        gc.collect()
        gc.disable()
        try:
            before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts itself each time
            squash_by(engine, app, how, f"{TAG}-open", message="open")
            assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
        finally:
            gc.enable()


def test_the_same_description_as_by_the_api(engine: Engine, app: str) -> None:
    """Config, manifest, digests, tags and history; each layer is what its digest says."""
    with reading(engine.host, app) as here, reading(engine.host, app, "api") as there:
        ours = here.fetch(every(here.describe()), frozenset())
        theirs = there.fetch(every(there.describe()), frozenset())
        assert ours.config.raw == theirs.config.raw
        assert (ours.manifest and ours.manifest.raw) == (theirs.manifest and theirs.manifest.raw)
        assert (ours.tags, ours.history_ids) == (theirs.tags, theirs.history_ids)
        assert [(layer.diff_id, layer.descriptor, layer.where) for layer in ours.layers] == [
            (layer.diff_id, layer.descriptor, layer.where) for layer in theirs.layers
        ]
        assert verified(ours) == list(digests(layers_of(engine, app)))


def test_nothing_is_saved_and_only_what_is_wanted_is_opened(
    engine: Engine, app: str, tmp_path: Path
) -> None:
    """Of layers below, headers are read when they are asked for."""
    with proxy_of(engine.socket, tmp_path) as proxy, reading(proxy.host, app) as source:
        count = len(source.describe().layers)
        image = source.fetch(frozenset({count - 1}), frozenset({0}))
        assert not any(request.endswith("/get") for request in proxy.requests)
    assert all(isinstance(image.layers[i].blob, NotFetched) for i in range(1, count - 1))


def test_headers_of_a_listed_layer(engine: Engine, app: str) -> None:
    """They are those of the tar; content, too, can be had, and is checked before."""
    with reading(engine.host, app) as source, LayerOpener(Spool()) as opener:
        [tar] = opener.open_headers(source.fetch(frozenset(), frozenset({0})).layers[:1])
        [whole] = opener.open(source.fetch(frozenset({0}), frozenset()).layers[:1])
        assert tar.read_at(0, 512) == whole.read_at(0, 512)
        assert tar.read_at(0, tar.size) == whole.read_at(0, whole.size)


def test_many_files(engine: Engine, tmp_path: Path) -> None:
    """A thousand small files, links and deletions; the archive says what the digests must be."""
    archive = tmp_path / "tiny.tar"
    images.write_image(archive, images.tiny_files(1000))
    engine.docker("load", "--input", archive)
    with reading(engine.host, "bench:latest") as source:
        image = source.fetch(every(source.describe()), frozenset())
        assert verified(image) == list(digests(layers_of(engine, "bench:latest")))
    one, other = (squash_by(engine, "bench:latest", how, message=how) for how in ("api", "local"))
    assert layers_of(engine, one) == layers_of(engine, other)
    engine.docker("rmi", "bench:latest")


def test_an_index_with_attestations(docker_containerd: Engine) -> None:
    """The image in it is found, and it is said that the rest is left out."""
    tag = "engine-tests/attested-in-place:1"
    made = with_attestation(TARS)
    made.entries[0]["annotations"] = {"io.containerd.image.name": f"docker.io/{tag}"}
    docker_containerd.docker("load", input=made.tar())
    told = Recorder()
    with reading(docker_containerd.host, tag, "local", told) as source:
        image = source.fetch(every(source.describe()), frozenset())
        assert verified(image) == list(digests(layers_of(docker_containerd, tag)))
    assert any("attestations" in line for line in told.lines)


def test_reading_changes_nothing(docker_classic: Engine) -> None:
    """No file or folder of the store is written, made, or marked as read."""
    name = loaded(docker_classic, "engine-tests/untouched:1")
    roots = [place_of(docker_classic, name), content_of(docker_classic, name)]
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (1, os.stat(path).st_mtime))  # noqa: PTH116 - as above
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}
    with reading(docker_classic.host, name) as source:
        verified(source.fetch(every(source.describe()), frozenset()))
    assert [path for root in roots for path in root.rglob("*") if path.is_file()] == files
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files} == before
    quiet = [path for path in files if path.name != "tar-split.json.gz"]
    assert all(path.stat().st_atime == 1 for path in quiet)


# -- spoilt stores


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.fixture(params=["docker_classic", "docker_modern"])
def classic(request: pytest.FixtureRequest) -> Engine:
    """Each engine that keeps layers taken apart."""
    started = request.getfixturevalue(request.param)
    assert isinstance(started, Engine)
    return started


def test_another_content_is_found_out(classic: Engine) -> None:
    """Nothing is published, and the engine is left as it was."""
    name = loaded(classic, "engine-tests/tampered:1")
    flip(content_of(classic, name) / "d/file2")
    before = state_of(classic)
    with pytest.raises(DigestMismatch, match=r"layer 3: d/file2 in the engine's store: .*CRC-64"):
        squash_by(classic, name, "auto", TAG)
    assert is_tidy(classic)
    assert state_of(classic) == before
    classic.docker("rmi", name)


def test_what_a_squash_leaves_out_is_not_read(classic: Engine) -> None:
    """A file that a later layer overwrites can be damaged: nobody will miss it."""
    name = "engine-tests/half:1"
    load(classic, name, ("d/file", os.urandom(9000)), ("d/file", os.urandom(9000)))
    whole = squash_by(classic, name, "api", TAG, message="half")
    flip(content_of(classic, name, 0) / "d/file")
    assert squash_by(classic, name, "local", TAG, message="half") == whole
    classic.docker("rmi", name, TAG)


def test_another_blob_is_found_out(docker_containerd: Engine) -> None:
    """The same in the store that names files by their digests."""
    engine, name = docker_containerd, "engine-tests/tampered:1"
    loaded(engine, name)
    with reading(engine.host, name) as source:
        descriptor = source.fetch(frozenset(), frozenset()).layers[2].descriptor
    assert descriptor is not None
    content = engine.data_root / "containerd/daemon/io.containerd.content.v1.content/blobs/sha256"
    blob = content / descriptor.digest.hex
    raw = blob.read_bytes()
    before = state_of(engine)
    flip(blob)
    with pytest.raises(ImageError, match="layer 3: "):
        squash_by(engine, name, "local", TAG)
    blob.unlink()
    with pytest.raises(EngineError, match=r"can't read .* where .* keeps it: .*try `source` api"):
        squash_by(engine, name, "local", TAG)
    assert state_of(engine) == before
    blob.write_bytes(raw)
    engine.docker("rmi", name)


class Removing(Recorder):
    """Removes an image when a phase begins."""

    def __init__(self, engine: Engine, name: str, phase: str) -> None:
        super().__init__()
        self._engine, self._name, self._phase = engine, name, phase

    def phase(self, name: str, total: int | None = None) -> None:
        """Remember, and remove."""
        super().phase(name, total)
        if name == self._phase:
            self._engine.docker("rmi", "--force", self._name)


@pytest.mark.parametrize("phase", ["read layers", "write the merged layer", "verify layers"])
def test_an_image_that_is_removed_meanwhile(engine: Engine, phase: str) -> None:
    """At whichever point: an error, and no image."""
    name = loaded(engine, "engine-tests/removed:1")
    before = state_of(engine)
    progress = Removing(engine, name, phase)
    env = Environment(
        engine=EngineOptions({"DOCKER_HOST": engine.host}, source="local"), progress=progress
    )
    with pytest.raises((EngineError, ImageError), match="removed"):
        squash_image(f"docker-daemon:{name}", tag=TAG, last=2, env=env)
    assert phase in progress.phases
    assert state_of(engine).items() <= before.items()
    assert not any(TAG in tags for tags in state_of(engine).values())


# -- what is not familiar


@pytest.mark.parametrize(
    ("part", "text", "reason"),
    [
        ("tar-split.json.gz", None, "No such file"),
        ("tar-split.json.gz", "new form", "unknown form of tar-split file"),
        ("cache-id", None, "No such file"),
        ("cache-id", "../../../etc", "unknown form of cache-id"),
        ("size", "large", "unknown form of size"),
        ("diff", "sha256:" + "0" * 64, "another layer in its place"),
        ("diff", None, "No such file"),
    ],
)
def test_another_form_of_store(
    docker_classic: Engine, whole: str, tmp_path: Path, part: str, text: str | None, reason: str
) -> None:
    """Whoever wants it in place is told why that can't be; else it comes by the API."""
    path = place_of(docker_classic, whole) / part
    kept = shutil.copy(path, tmp_path / "kept")
    # While the engine is asked it must have its file: it is spoilt for our eyes only.
    with spoilt_for_us(path, text) as restore:
        with pytest.raises(EngineError, match=rf"{reason}.*; try `source` api"):
            squash_by(docker_classic, whole, "local", TAG)
        told = Recorder()
        with reading(docker_classic.host, whole, "auto", told) as source:
            restoring = Restoring(source, restore)
            image = restoring.fetch(every(source.describe()))
            assert verified(image) == list(digests(layers_of(docker_classic, whole)))
    assert Path(kept).read_bytes() == path.read_bytes()
    said = [line for line in told.lines if "not read in place, but by the API" in line]
    assert len(said) == 1
    assert reason in said[0]


@contextmanager
def spoilt_for_us(path: Path, text: str | None) -> Iterator[Callable[[], None]]:
    """Spoil a file, until the function that this gives is called."""
    raw = path.read_bytes()
    path.unlink()
    if text is not None:
        path.write_text(text)

    def restore() -> None:
        path.write_bytes(raw)

    try:
        yield restore
    finally:
        restore()


class Restoring:
    """Mends the store when its source turns to the API."""

    def __init__(self, source: EngineSource, restore: Callable[[], None]) -> None:
        self._source, self._restore = source, restore
        self._true = source._not_in_place  # noqa: SLF001 - the very moment
        source._not_in_place = self._turn  # type: ignore[method-assign]  # noqa: SLF001

    def _turn(self, error: Exception) -> None:
        self._restore()
        self._true(error)

    def fetch(self, content: frozenset[int]) -> Image:
        """Read layers."""
        return self._source.fetch(content, frozenset())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Driver": "btrfs"}, "storage driver btrfs"),
        (
            {"DriverStatus": [["Native Overlay Diff", "false"]]},
            "expected overlay2 with native diff",
        ),
        ({"DriverStatus": None}, "expected overlay2 with native diff"),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}, "maps user IDs"),
        ({"SecurityOptions": ["name=rootless"]}, "maps user IDs"),
        ({"DockerRootDir": ""}, "does not say where its data are"),
        ({"DockerRootDir": None}, "does not say where its data are"),
        ({"DockerRootDir": "/nowhere/at/all"}, "No such file"),
    ],
)
def test_another_kind_of_engine(
    docker_classic: Engine,
    whole: str,
    changes: Mapping[str, Any],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another driver, mapped users, data that are elsewhere."""
    true = EngineClient.info.__get__  # what it says is changed
    changed = property(lambda client: {**true(client), **changes})
    monkeypatch.setattr(EngineClient, "info", changed)
    expect_the_api(docker_classic.host, whole, reason)


def expect_the_api(host: str, name: str, reason: str) -> None:
    """Check that an image is not read in place, and why."""
    told = Recorder()
    with reading(host, name, "auto", told) as source:
        verified(source.fetch(every(source.describe()), frozenset()))
    assert any(reason in line for line in told.lines)
    refused = pytest.raises(EngineError, match=rf"{reason}.*; try `source` api")
    with reading(host, name, "local") as source, refused:
        source.fetch(every(source.describe()), frozenset())


def test_an_engine_elsewhere(
    docker_classic: Engine, whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it says of its folders: they are another machine's."""
    monkeypatch.setattr(Host, "is_local", False)
    expect_the_api(docker_classic.host, whole, "the engine is not on this machine")


def test_a_listed_layer_that_can_t_be_read_in_place(docker_classic: Engine, whole: str) -> None:
    """Its headers are asked for late: then, too, the API has them."""
    told = Recorder()
    path = place_of(docker_classic, whole, 0) / "tar-split.json.gz"
    opening = reading(docker_classic.host, whole, "auto", told)
    with opening as source, LayerOpener(Spool()) as opener:
        image = source.fetch(frozenset({2}), frozenset({0}))
        with spoilt_for_us(path, "new form") as restore:
            Restoring(source, restore)
            [tar] = opener.open_headers(image.layers[:1])
        assert isinstance(tar, LayerTar)
        [read] = opener.open(source.fetch(frozenset({0}), frozenset()).layers[:1])
        assert tar.read_at(0, tar.size) == read.read_at(0, read.size)
    assert any("unknown form" in line for line in told.lines)


# -- the command


def test_the_option(docker_classic: Engine, whole: str) -> None:
    """--source says how; -v tells how it was."""
    lamella = Path(sys.executable).with_name("lamella")
    said = {}
    for how in ("api", "local", "auto"):
        done = subprocess.run(
            [lamella, "squash", whole, "--last", "2", "-v", "--source", how, "--dry-run"],
            env={**os.environ, "DOCKER_HOST": docker_classic.host},
            capture_output=True,
            text=True,
            check=True,
        )
        said[how] = "read where the engine keeps them" in done.stderr
    assert said == {"api": False, "local": True, "auto": True}
