"""Layers read where Podman keeps them: the same image as by its API, or an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lamella.api import squash as squash_image
from lamella.errors import DigestMismatch, EngineError, ImageError
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import NotFetched
from lamella.layer.spool import Spool
from lamella.progress import SILENT, Progress
from lamella.transport.engine.client import EngineClient
from lamella.transport.engine.options import EngineOptions
from lamella.transport.engine.source import EngineSource
from lamella.transport.environment import Environment
from tests.engines.daemon import Engine
from tests.engines.fixtures import started
from tests.engines.images import Tar, name_app
from tests.engines.namespace import wait_until
from tests.engines.podman_modern import podman_modern_store
from tests.engines.rootless import RootlessPodman
from tests.engines.tools import STORAGE_CONF, Podman
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.progress import Recorder
from tests.support.tars import entry, folder, layer
from tests.transport.engine.proxy import proxy_of
from tests.transport.engine.squashing import digests, every
from tests.transport.engine.store.test_docker import (
    Reading,
    Restoring,
    flip,
    spoilt_for_us,
    verified,
)
from tests.transport.registry.server import registry_server

pytestmark = pytest.mark.engine

LAMELLA = Path(sys.executable).with_name("lamella")
BASE, APP = "podman-in-place/base:1", "podman-in-place/app:1"

_loaded: set[object] = set()
_whole: dict[Podman, str] = {}


@pytest.fixture(scope="module")
def archive(docker_classic: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save an application as Docker builds it."""
    name_app(docker_classic, BASE, APP)
    path = tmp_path_factory.mktemp("podman") / "images.tar"
    docker_classic.docker("save", "-o", path, APP)
    return path


@pytest.fixture(scope="module")
def podman_modern() -> Iterator[Podman]:
    """Podman 5 or later."""
    yield from started(podman_modern_store(), "podman-modern")


@pytest.fixture(params=["podman", "podman_modern"])
def store(request: pytest.FixtureRequest) -> Podman:
    """Each Podman of root's in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Podman)
    return found


@pytest.fixture
def app(store: Podman, archive: Path) -> str:
    """Name the application in it; no test changes it."""
    if store not in _loaded:
        copy = store.work / "images.tar"
        copy.write_bytes(archive.read_bytes())
        store("load", "-i", copy)
        _loaded.add(store)
    return f"localhost/{APP}"


@contextmanager
def reading(
    podman: Podman, name: str, how: Reading = "local", progress: Progress = SILENT, host: str = ""
) -> Iterator[EngineSource]:
    """Open an image of a Podman, to be read in one way."""
    chosen = EngineOptions({"CONTAINER_HOST": host or podman.host}, podman=True, source=how)
    env = Environment(progress=progress, engine=chosen)
    with env.connections.used(), EngineSource(name, None, chosen, env) as source:
        yield source


def squash_by(
    podman: Podman, name: str, how: Reading, tag: str, progress: Progress = SILENT
) -> str:
    """Squash what is above the lowest layer, within Podman; return the new ID."""
    chosen = EngineOptions({"CONTAINER_HOST": podman.host}, source=how)
    env = Environment(engine=chosen, progress=progress)
    return squash_image(f"podman:{name}", "#1", tag=tag, message="in place", env=env).id


def built(podman: Podman, name: str, steps: int = 3) -> str:
    """Build an image that a test may spoil: nothing of it is in another one."""
    folder = podman.work / "context"
    folder.mkdir(exist_ok=True)
    for i in range(steps):
        (folder / f"file{i}").write_bytes(os.urandom(9000))
    lines = "".join(f"COPY file{i} /d/file{i}\n" for i in range(steps))
    (folder / "Dockerfile").write_text(f"FROM scratch\n{lines}")
    podman("build", "--layers", "-t", name, folder)
    return name


def loaded(podman: Podman, name: str) -> str:
    """Load an image of three layers that a test may spoil, which is quicker than to build it."""
    tars = (layer(folder("d"), entry(f"d/file{i}", os.urandom(9000))) for i in range(3))
    archive = podman.work / "loaded.tar"
    archive.write_bytes(docker_archive(*tars, tags=[name]))
    podman("load", "-i", archive)
    return name


@pytest.fixture
def whole(podman: Podman) -> str:
    """Name an image which tests spoil only for our eyes, and only as long as we look."""
    if podman not in _whole:
        _whole[podman] = built(podman, "localhost/whole:1")
    return _whole[podman]


def layers_of(podman: Callable[..., str], name: str) -> list[str]:
    """Return the diff_ids that Podman tells."""
    return list(json.loads(podman("image", "inspect", name))[0]["RootFS"]["Layers"])


def records_of(podman: Podman) -> list[dict[str, Any]]:
    """What the storage notes of its layers."""
    path = podman.data_root / "overlay-layers/layers.json"
    return list(json.loads(path.read_bytes()))


def ids_of(podman: Podman, name: str) -> list[str]:
    """What the storage calls the layers of an image made by `built`."""
    named = {record.get("diff-digest"): record["id"] for record in records_of(podman)}
    return [named[diff_id] for diff_id in layers_of(podman, name)]


def content_of(podman: Podman, name: str, position: int = -1) -> Path:
    """Where the files of a layer are."""
    return podman.data_root / "overlay" / ids_of(podman, name)[position] / "diff"


def state_of(podman: Podman) -> set[str]:
    """All images, with their names."""
    shown = "{{.Id}} {{.Repository}}:{{.Tag}}"
    return set(podman("images", "--all", "--format", shown).splitlines())


# -- the same image


def test_the_same_image_as_by_the_api(store: Podman, app: str) -> None:
    """Hard links, capabilities, whiteouts, odd names: the squashed image has the same ID."""
    hows: tuple[Reading, ...] = ("api", "local", "auto")
    ids = [squash_by(store, app, how, f"in-place-{how}:1") for how in hows]
    assert len(set(ids)) == 1
    assert len({tuple(layers_of(store, f"localhost/in-place-{how}:1")) for how in hows}) == 1


@pytest.mark.parametrize("maker", ["Docker", "Podman"])
def test_the_same_description_as_by_the_api(store: Podman, app: str, maker: str) -> None:
    """Config, digests, tags and history; each layer is what its digest says."""
    name = app if maker == "Docker" else built(store, "localhost/described:1")
    with reading(store, name) as here, reading(store, name, "api") as there:
        ours = here.fetch(every(here.describe()), frozenset())
        theirs = there.fetch(every(there.describe()), frozenset())
        assert ours.config.raw == theirs.config.raw
        assert (ours.manifest, theirs.manifest) == (None, None)
        assert (ours.tags, ours.history_ids) == (theirs.tags, theirs.history_ids)
        assert [(layer.diff_id, layer.descriptor, layer.where) for layer in ours.layers] == [
            (layer.diff_id, layer.descriptor, layer.where) for layer in theirs.layers
        ]
        assert verified(ours) == list(digests(layers_of(store, name)))


PARTIAL = '[storage.options.pull_options]\nenable_partial_images = "true"\n'


def test_an_image_that_was_pulled_in_parts(podman_modern: Podman) -> None:
    """Its layers (zstd:chunked) were put together file by file: they are the same tars."""
    settings = podman_modern.work / "storage.conf"
    settings.write_text(f"{settings.read_text()}{PARTIAL}")
    name = built(podman_modern, "localhost/whole-pull:1")
    with registry_server() as registry:
        there = f"{registry.host}/parts:1"
        chunked = ("--compression-format=zstd:chunked", "--force-compression")
        podman_modern("push", "--tls-verify=false", *chunked, name, there)
        podman_modern("rmi", "--force", name)
        podman_modern("pull", "--tls-verify=false", there)
    wanted = layers_of(podman_modern, there)
    pulled = [one for one in records_of(podman_modern) if one["diff-digest"] in wanted]
    assert all("toc-digest" in record for record in pulled)
    with reading(podman_modern, there) as source:
        image = source.fetch(every(source.describe()), frozenset())
        assert verified(image) == list(digests(wanted))


def test_nothing_is_saved_and_only_what_is_wanted_is_opened(
    store: Podman, app: str, tmp_path: Path
) -> None:
    """Nor is Podman asked for its settings, which takes longer than the rest."""
    with proxy_of(store.socket, tmp_path) as proxy, reading(store, app, host=proxy.host) as source:
        count = len(source.describe().layers)
        image = source.fetch(frozenset({count - 1}), frozenset({0}))
        assert not any(request.endswith(("/get", "/info")) for request in proxy.requests)
    assert all(isinstance(image.layers[i].blob, NotFetched) for i in range(1, count - 1))


def test_headers_of_a_listed_layer(store: Podman, app: str) -> None:
    """They are those of the tar; content, too, can be had, and is checked before."""
    with reading(store, app) as source, LayerOpener(Spool()) as opener:
        [tar] = opener.open_headers(source.fetch(frozenset(), frozenset({0})).layers[:1])
        [whole] = opener.open(source.fetch(frozenset({0}), frozenset()).layers[:1])
        assert tar.read_at(0, 512) == whole.read_at(0, 512)
        assert tar.read_at(0, tar.size) == whole.read_at(0, whole.size)


def test_reading_changes_nothing(podman: Podman) -> None:
    """No file or folder of the storage is written, made, or marked as read, if root reads it."""
    name = built(podman, "localhost/untouched:1")
    folders = [content_of(podman, name, i) for i in range(3)]
    kept = [podman.data_root / f"overlay-{part}" for part in ("layers", "images")]
    with reading(podman, name) as source:
        described = source.describe()
        files = [path for root in (*folders, *kept) for path in root.rglob("*") if path.is_file()]
        for path in files:
            os.utime(path, (1, path.stat().st_mtime))
        before = {path: path.stat() for path in files}
        verified(source.fetch(every(described), frozenset()))
    after = [path for root in (*folders, *kept) for path in root.rglob("*") if path.is_file()]
    assert after == files
    for path, then in before.items():
        assert (path.stat().st_mtime_ns, path.stat().st_ctime_ns) == (
            then.st_mtime_ns,
            then.st_ctime_ns,
        )
    content = [path for root in folders for path in root.rglob("*") if path.is_file()]
    assert all(path.stat().st_atime == 1 for path in content)
    podman("rmi", name)


# -- while others write


HOLD = """
import fcntl, sys
with open(sys.argv[1], "r+b") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_whoever_is_writing_is_waited_for(podman: Podman) -> None:
    """The lock of the storage is respected, and only while the list of layers is read."""
    name, read = built(podman, "localhost/locked:1"), threading.Event()
    lock = podman.data_root / "overlay-layers/layers.lock"
    waiting = f":{lock.stat().st_ino} "

    with reading(podman, name) as source:
        described = source.describe()  # Podman, too, would wait

        def fetch() -> None:
            verified(source.fetch(every(described), frozenset()))
            read.set()

        thread = threading.Thread(target=fetch)
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            thread.start()
            locks = Path("/proc/locks")
            assert wait_until(
                lambda: any(
                    "->" in line and waiting in line and "READ" in line
                    for line in locks.read_text().splitlines()
                ),
                timeout=20,
            )
            assert not read.is_set()
            holder.communicate()
        thread.join(patience(20))
        assert read.is_set()
        assert waiting not in locks.read_text()
    podman("rmi", name)


class Removing(Recorder):
    """Removes an image when a phase begins."""

    def __init__(self, phase: str, *commands: Callable[[], str]) -> None:
        super().__init__()
        self._phase, self._commands = phase, commands

    def phase(self, name: str, total: int | None = None) -> None:
        """Remember, and remove."""
        super().phase(name, total)
        if name == self._phase:
            for command in self._commands:
                command()


@pytest.mark.parametrize("how", ["rmi", "prune"])
@pytest.mark.parametrize("phase", ["read layers", "write the merged layer", "verify layers"])
def test_an_image_that_is_removed_meanwhile(store: Podman, phase: str, how: str) -> None:
    """At whichever point: an error, and no image."""
    name = loaded(store, "localhost/removed:1")
    before = state_of(store)
    removal = {
        "rmi": [lambda: store("rmi", "--force", name)],
        "prune": [lambda: store("untag", name), lambda: store("image", "prune", "--force")],
    }
    progress = Removing(phase, *removal[how])
    with pytest.raises((EngineError, ImageError), match="removed"):
        squash_by(store, name, "local", "never:1", progress)
    assert phase in progress.phases
    assert state_of(store) < before


def test_an_image_that_was_removed_and_came_back(podman: Podman) -> None:
    """Its layers have the same IDs, but they are not those that were read."""
    name = built(podman, "localhost/again:1")
    saved = podman.work / "again.tar"
    podman("save", "-o", saved, name)
    with reading(podman, name) as source:
        source.fetch(frozenset({0}), frozenset({1, 2}))
        source.recheck()
        podman("rmi", "--force", name)
        podman("load", "-i", saved)
        with pytest.raises(EngineError, match=r"was removed from Podman at .* while it was read"):
            source.recheck()


# -- what is not as it should be


def test_another_content_is_found_out(store: Podman) -> None:
    """Nothing is published, and Podman is left as it was."""
    name = loaded(store, "localhost/tampered:1")
    flip(content_of(store, name) / "d/file2")
    before = state_of(store)
    with pytest.raises(DigestMismatch, match=r"layer 3: d/file2 in the engine's store: .*CRC-64"):
        squash_by(store, name, "auto", "never:1")
    assert state_of(store) == before
    store("rmi", name)


Change = Callable[[list[dict[str, Any]]], object]


def without(records: list[dict[str, Any]]) -> object:
    """Forget the lowest layer."""
    return [record for record in records if record.get("parent")]


def circle(records: list[dict[str, Any]]) -> object:
    """Stand each layer on itself."""
    return [{**record, "parent": record["id"]} for record in records]


def renamed(records: list[dict[str, Any]]) -> object:
    """Call layers by paths, consistently."""
    path = {record["id"]: f"../{record['id']}" for record in records if not record.get("parent")}
    return [
        {**record, "id": path.get(record["id"], record["id"]), "parent": path.get(parent, parent)}
        for record in records
        for parent in [record.get("parent", "")]
    ]


def each(**changes: object) -> Change:
    """Change all layers."""
    return lambda records: [{**record, **changes} for record in records]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: {}, "has no layer"),
        (lambda _: 7, "unknown form of layers.json"),
        (lambda _: [7], "unknown form of layers.json"),
        (each(id=["x"]), "unknown form of layers.json"),
        (each(parent=["x"]), "unknown form of layers.json"),
        (each(flags="x"), "unknown form of layers.json"),
        (each(**{"diff-size": "x"}), "unknown form of layers.json"),
        (each(**{"diff-digest": None}), "other layers in the place"),
        (each(**{"diff-digest": "sha256:" + "0" * 64}), "other layers in the place"),
        (without, "has no layer"),
        (circle, "other layers in the place"),
        (renamed, "unknown form of layers.json"),
        (each(flags={"incomplete": True}), "not all of it is there"),
        (each(uidmap=[{"container_id": 0}]), "mapped user IDs"),
        (each(gidmap=[{"container_id": 0}]), "mapped user IDs"),
    ],
)
def test_another_form_of_list(podman: Podman, whole: str, change: Change, reason: str) -> None:
    """Whoever wants it in place is told why that can't be; else it comes by the API."""
    path = podman.data_root / "overlay-layers/layers.json"
    changed = json.dumps(change(records_of(podman)))
    expect_the_api(podman, whole, path, changed, reason)


def expect_the_api(podman: Podman, name: str, path: Path, text: str | None, reason: str) -> None:
    """Spoil a file for our eyes; check that the image is not read in place, and why."""
    wanted = digests(layers_of(podman, name))
    raw = path.read_bytes() if path.exists() else None
    refused = pytest.raises(EngineError, match=rf"{reason}.*; try `source` api")
    with reading(podman, name) as source:
        described = source.describe()
        with spoilt_for_us(path, text), refused:
            source.fetch(every(described), frozenset())
    told = Recorder()
    with reading(podman, name, "auto", told) as source:
        described = source.describe()
        with spoilt_for_us(path, text) as restore:
            image = Restoring(source, restore).fetch(every(described))
            assert verified(image) == list(wanted)
    assert (path.read_bytes() if raw is not None else None) == raw
    said = [line for line in told.lines if "not read in place, but by the API" in line]
    assert len(said) == 1
    assert reason in said[0]


@pytest.mark.parametrize(
    ("part", "text", "reason"),
    [
        ("list", None, "No such file"),
        ("list", "new form", "unknown form of layers.json"),
        pytest.param("list", "[" * 100_000, "unknown form of layers.json", id="list-deep"),
        ("lock", None, "No such file"),
        ("headers", None, "No such file"),
        ("headers", "new form", "unknown form of tar-split file"),
        ("config", None, "No such file"),
        ("config", "new form", "digest mismatch"),
    ],
)
def test_parts_that_are_missing_or_new(
    podman: Podman, whole: str, part: str, text: str | None, reason: str
) -> None:
    """As after a partial pull, which leaves no tar-split file."""
    root, top = podman.data_root, ids_of(podman, whole)[-1]
    image_id = podman("image", "inspect", "--format", "{{.Id}}", whole).strip()
    path = {
        "list": root / "overlay-layers/layers.json",
        "lock": root / "overlay-layers/layers.lock",
        "headers": root / f"overlay-layers/{top}.tar-split.gz",
        "config": next((root / "overlay-images" / image_id).glob("=c2hh*")),
    }[part]
    expect_the_api(podman, whole, path, text, reason)


@pytest.mark.parametrize(
    ("part", "reason"),
    [("composefs-data", "kept by composefs"), ("additionallayer", "an additional layer store")],
)
def test_files_under_other_names(podman: Podman, whole: str, part: str, reason: str) -> None:
    """The content is not where the headers say."""
    told = Recorder()
    with reading(podman, whole) as strict, reading(podman, whole, "auto", told) as source:
        path = content_of(podman, whole).parent / part
        strict.describe()
        source.describe()
        path.mkdir()
        with pytest.raises(EngineError, match=rf"{reason}; try `source` api"):
            strict.fetch(every(strict.describe()), frozenset())
        image = Restoring(source, path.rmdir).fetch(every(source.describe()))
        assert verified(image) == list(digests(layers_of(podman, whole)))
    assert any(reason in line for line in told.lines)


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        ({"Name": "btrfs", "Data": {"UpperDir": "/a/overlay/b/diff"}}, "storage driver btrfs"),
        ({"Name": "overlay", "Data": None}, "does not say where its data are"),
        ({"Name": "overlay", "Data": {"UpperDir": "a/overlay/b/diff"}}, "does not say where"),
        ({"Name": "overlay", "Data": {"UpperDir": "/a/other/b/diff"}}, "does not say where"),
        ({"Name": "overlay", "Data": {"UpperDir": "/nowhere/overlay/b/diff"}}, "No such file"),
        (None, "storage driver None; expected overlay"),
    ],
)
def test_another_kind_of_storage(
    podman: Podman, whole: str, driver: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another driver, data that are elsewhere, as those of a Podman in a virtual machine."""
    told, true = Recorder(), EngineClient.inspect
    monkeypatch.setattr(
        EngineClient, "inspect", lambda self, name: {**true(self, name), "GraphDriver": driver}
    )
    with reading(podman, whole, "auto", told) as source:
        image = source.fetch(every(source.describe()), frozenset())
        assert verified(image) == list(digests(layers_of(podman, whole)))
    assert any(reason in line for line in told.lines)
    refused = pytest.raises(EngineError, match=rf"{reason}.*; try `source` api")
    with reading(podman, whole) as source, refused:
        source.fetch(every(source.describe()), frozenset())


def test_a_storage_without_overlay(podman: Podman) -> None:
    """The real vfs driver: by the API, and it is said why; in no other way it can't be."""
    work = podman.work / "vfs"
    work.mkdir()
    conf = STORAGE_CONF.format(work=work).replace('"overlay"', '"vfs"')
    (work / "storage.conf").write_text(conf)
    (work / "base.tar").write_bytes(Tar().add("a", b"a").bytes())
    vfs = ("env", "-u", "CONTAINER_HOST", f"CONTAINERS_STORAGE_CONF={work}/storage.conf")
    podman.inside(*vfs, "podman", "import", work / "base.tar", "localhost/vfs:1")
    squash = (*vfs, "sh", "-c", '"$0" squash podman:vfs:1 -t vfs:2 -v --message=x "$@" 2>&1')
    said = podman.inside(*squash, LAMELLA)
    assert "not read in place, but by the API: storage driver vfs; expected overlay" in said
    refused = podman.inside("sh", "-c", '"$@" || true', "sh", *squash, LAMELLA, "--source", "local")
    assert "storage driver vfs; expected overlay; try --source api" in refused


# -- a plain user


@pytest.fixture
def user(podman_rootless: RootlessPodman, archive: Path) -> RootlessPodman:
    """A plain user's Podman with the application."""
    if podman_rootless not in _loaded:
        copy = podman_rootless.work / "in-place.tar"
        copy.write_bytes(archive.read_bytes())
        podman_rootless("load", "-i", copy)
        _loaded.add(podman_rootless)
    return podman_rootless


def as_user(user: RootlessPodman, *arguments: str, check: bool = True) -> tuple[str, str]:
    """Run lamella squash as the user; return the new ID and what was said."""
    said = user.work / "tmp/said"
    script = 'said=$1; shift; "$@" 2> "$said" || test -n "$LENIENT"'
    command = (str(LAMELLA), "squash", *arguments, "-v", "--message=in place", "--progress=none")
    environment = {"LENIENT": "" if check else "yes"}
    new_id = user.inside("sh", "-euc", script, "sh", said, *command, env=environment)
    return new_id.strip(), said.read_text()


def test_a_user_reads_storage_of_their_own(user: RootlessPodman) -> None:
    """Also files of others, which are another number's outside, as long as all may read them."""
    ids = {}
    for how in ("api", "local", "auto"):
        squash = (f"podman:{APP}", "#1", f"app:{how}", "--source", how, "--verify")
        ids[how], said = as_user(user, *squash)
        assert ("its layers are read where" in said) == (how != "api")
    assert len(set(ids.values())) == 1


@pytest.mark.parametrize("hidden", ["file", "folder"])
def test_files_that_the_user_may_not_read(user: RootlessPodman, hidden: str) -> None:
    """The API has them, and it is said; root can read them in place, in the user's storage."""
    name = f"localhost/hidden-{hidden}:1"
    folder = user.work / hidden
    folder.mkdir()
    file, other = hidden == "file", 70
    tar = Tar().folder("d", 0o755 if file else 0o700, 0 if file else other)
    tar.add("d/a", b"secret", mode=0o600 if file else 0o644, owner=other)
    (folder / "a.tar").write_bytes(tar.bytes())
    (folder / "b.tar").write_bytes(Tar().add("b", b"known").bytes())
    (folder / "Dockerfile").write_text("FROM scratch\nADD b.tar /\nADD a.tar /\n")
    user("build", "--layers", "-t", name, folder)
    squash = (f"podman:{name}", "-t", f"shown-{hidden}:1")
    by_api, _ = as_user(user, *squash, "--source", "api")
    by_auto, said = as_user(user, *squash)
    assert by_auto == by_api
    assert said.count("not read in place, but by the API") == 1
    assert "layer 2: d/a in the engine's store can't be read: permission denied" in said
    _, said = as_user(user, *squash, "--source", "local", check=False)
    assert "can't be read: permission denied; try --source api" in said
    host = f"unix://{user.runtime}/podman/podman.sock"
    chosen = EngineOptions({"CONTAINER_HOST": host}, podman=True, source="local")
    env = Environment(engine=chosen)
    with env.connections.used(), EngineSource(name, None, chosen, env) as source:
        image = source.fetch(every(source.describe()), frozenset())
        assert verified(image) == list(digests(layers_of(user, name)))
