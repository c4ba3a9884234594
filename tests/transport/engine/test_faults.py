"""When an engine can't be reached, breaks off, refuses or lies: one error, and nothing is left."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamella import api
from lamella.errors import DigestMismatch, EngineError, EngineUnreachable
from lamella.layer.opener import LayerOpener
from lamella.transport.engine.client import EngineClient, Upload
from lamella.transport.engine.connection import Connection
from lamella.transport.engine.host import Host
from lamella.transport.engine.image_writer import EngineImage
from lamella.transport.engine.load_body import LoadRefused, TarBody
from lamella.transport.engine.location import EngineLocation
from lamella.transport.engine.options import EngineOptions
from lamella.transport.environment import Environment
from tests.engines.daemon import Engine
from tests.engines.images import build
from tests.support.images import docker_archive
from tests.support.progress import Recorder
from tests.transport.engine.proxy import Proxy, proxy_of
from tests.transport.engine.squashing import (
    app,
    engine_at,
    id_of,
    is_tidy,
    layers_of,
    source_of,
    squash_engine,
    state_of,
)
from tests.transport.engine.test_host import make_context
from tests.transport.forms import TARS, to_file

__all__ = ["app"]

TAG = "engine-tests/fault:1"


@pytest.fixture
def proxy(engine: Engine, tmp_path: Path) -> Iterator[Proxy]:
    """A door to the engine that can be slammed."""
    with proxy_of(engine.socket, tmp_path) as opened:
        yield opened


@pytest.fixture
def spooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where layers are spooled; open files in it have no name, and are counted all the same."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def left_open(folder: Path) -> list[str]:
    """List the files of a folder, and those that are open without a name."""
    gc.collect()  # an error holds what was open where it was raised
    listed = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [*map(str, folder.iterdir()), *(name for name in listed if name.startswith(str(folder)))]


# -- breaking off


@pytest.mark.engine
@pytest.mark.parametrize("after", [0, 1_000, 100_000])
def test_a_save_that_breaks_off(
    engine: Engine, app: str, proxy: Proxy, spooled: Path, after: int
) -> None:
    """The daemon dies before the first byte, in the first layer, somewhere later."""
    before = state_of(engine)
    proxy.watch, proxy.cut_received = "/get$", after
    with pytest.raises(EngineError, match="broke off, can't save") as error:
        squash_engine(proxy.host, app, TAG)
    assert proxy.host in str(error.value)
    assert "\n" not in str(error.value)
    del error
    assert is_tidy(engine)
    assert state_of(engine) == before
    assert left_open(spooled) == []


@pytest.mark.engine
@pytest.mark.parametrize("after", [0, 3_000])
def test_a_load_that_breaks_off(
    engine: Engine, app: str, proxy: Proxy, spooled: Path, after: int
) -> None:
    """The daemon dies while the new layer is sent: no image, and the tag has not moved."""
    engine.docker("tag", app, TAG)
    before = state_of(engine)
    proxy.watch, proxy.cut_sent = "/images/load$", after
    with pytest.raises(EngineError, match="broke off, can't load the image"):
        squash_engine(proxy.host, app, TAG, message="cut")
    assert is_tidy(engine)
    assert state_of(engine) == before
    assert left_open(spooled) == []
    engine.docker("rmi", TAG)


@pytest.mark.engine
def test_an_answer_that_is_lost(engine: Engine, app: str, proxy: Proxy) -> None:
    """The daemon has loaded the image and can't say so: it is removed again."""
    before = state_of(engine)
    proxy.watch, proxy.cut_received = "/images/load$", 10
    with pytest.raises(EngineError, match="broke off, can't load the image"):
        squash_engine(proxy.host, app, TAG, message="lost")
    assert state_of(engine) == before


class Interrupting(Recorder):
    """Presses Ctrl-C after so many bytes of a phase."""

    def __init__(self, phase: str, after: int) -> None:
        super().__init__()
        self._phase, self._after = phase, after

    def advance(self, amount: int) -> None:
        """Count, and interrupt."""
        super().advance(amount)
        if self.phases[-1] == self._phase and self.bytes[self._phase] > self._after:
            raise KeyboardInterrupt


@pytest.mark.engine
@pytest.mark.parametrize("phase", ["read from the engine", "load into the engine"])
@pytest.mark.parametrize("after", [0, 1_000])
def test_an_interrupt_leaves_nothing(
    engine: Engine, app: str, phase: str, after: int, spooled: Path
) -> None:
    """Ctrl-C while reading, or while sending."""
    before = state_of(engine)
    with pytest.raises(KeyboardInterrupt):
        squash_engine(
            engine.host, app, TAG, message="interrupt", progress=Interrupting(phase, after)
        )
    assert is_tidy(engine)
    assert state_of(engine) == before
    assert left_open(spooled) == []


@pytest.mark.engine
def test_a_source_that_proves_damaged_in_the_end(
    engine: Engine, app: str, monkeypatch: pytest.MonkeyPatch, spooled: Path
) -> None:
    """The new layer may be in the engine by then; nothing comes of it."""

    def verify(opener: LayerOpener) -> None:
        raise DigestMismatch("layer 3", "one", "another")

    before = state_of(engine)
    monkeypatch.setattr(LayerOpener, "verify", verify)
    with pytest.raises(DigestMismatch, match="layer 3"):
        squash_engine(engine.host, app, TAG, message="damaged")
    assert is_tidy(engine)
    assert state_of(engine) == before
    assert left_open(spooled) == []


# -- refusing


@pytest.mark.engine
def test_the_engine_s_own_words_reach_the_user(engine: Engine) -> None:
    """A load that is refused answers HTTP 200; what is wrong is in the answer."""
    client = EngineClient(Host(engine.host))
    body = TarBody()
    body.add("something", b"that is no image")
    with client.load() as upload:
        for chunk in body:
            upload.write(chunk)
        with pytest.raises(LoadRefused, match="can't load the image: "):
            upload.finish()
    client.close()


@pytest.mark.engine
def test_an_engine_that_has_had_enough(engine: Engine) -> None:
    """It says why and hangs up while much more is to be sent: its words count, not the break."""
    client = EngineClient(Host(engine.host))
    with (
        client.load() as upload,
        pytest.raises(LoadRefused, match=r"can't load the image: .*tar"),
    ):
        send_rubbish(upload)
    client.close()


def send_rubbish(upload: Upload) -> None:
    """Send 64 MB that are no archive."""
    for _ in range(256):
        upload.write(b"rubbish." * (1 << 15))
    upload.finish()


@pytest.mark.engine
def test_a_layer_that_is_not_what_the_config_says(
    engine: Engine, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine unpacks and hashes it itself: then it has no such image, not a broken one."""
    tag = "engine-tests/wrong:1"
    build(engine, tag, f"FROM {app}\nCOPY x /x\nCOPY x /y\n", {"x": os.urandom(9000)})
    before = state_of(engine)
    monkeypatch.setattr(Upload, "write", write_wrong_layers)
    with pytest.raises(EngineError, match=r"can't load the image: .*(diffID|not found|diff id)"):
        squash_engine(engine.host, tag, TAG, ranges=[range(len(layers_of(engine, tag)))[-2:]])
    assert is_tidy(engine)
    assert state_of(engine) == before


true_write = Upload.write


def write_wrong_layers(self: Upload, chunk: bytes | memoryview) -> None:
    """Change one byte of what is as long as a layer; it is in a file's content."""
    sent = bytearray(chunk)
    if len(sent) > 8000:
        sent[len(sent) * 2 // 3] ^= 1
    true_write(self, bytes(sent))


@pytest.mark.engine
def test_an_image_that_is_not_what_was_sent(
    engine: Engine, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine says of it afterwards is compared; a lie gets no name and is removed."""
    before = state_of(engine)
    monkeypatch.setattr(EngineImage, "_fault", lambda *_: "it lacks layers")
    with pytest.raises(EngineError, match="loaded the image, but it lacks layers"):
        squash_engine(engine.host, app, TAG, message="lie")
    assert state_of(engine) == before


@pytest.mark.engine
def test_a_name_that_can_t_be_given(
    engine: Engine, app: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those given before stay, and the message tells them; without any nothing is left."""
    before = state_of(engine)
    proxy.watch, proxy.cut_sent = "/tag$", 0
    with pytest.raises(EngineError, match="can't tag the image 'engine-tests/fault:1'"):
        squash_engine(proxy.host, app, TAG, message="tag")
    assert state_of(engine) == before

    true_tag = EngineClient.tag

    def only_first(self: EngineClient, image_id: str, repository: str, tag: str) -> None:
        if f"{repository}:{tag}" != TAG:
            raise EngineError("the engine is gone")
        true_tag(self, image_id, repository, tag)

    monkeypatch.setattr(EngineClient, "tag", only_first)
    with pytest.raises(EngineError) as error:
        squash_engine(engine.host, app, TAG, "engine-tests/fault:2", message="tag")
    assert str(error.value).endswith(f"the new image is {id_of(engine, TAG)}, tagged {TAG}")
    engine.docker("rmi", TAG)


@pytest.mark.engine
def test_a_blob_that_the_store_lost(docker_containerd: Engine) -> None:
    """The save says nothing of it and goes on without; an image built on it would be broken."""
    engine, tag = docker_containerd, "engine-tests/broken:1"
    build(engine, tag, "FROM scratch\n" + "".join(f"COPY Dockerfile /lost{n}\n" for n in range(3)))
    with source_of(engine.host, tag) as source:
        descriptor = source.fetch(frozenset(), frozenset()).layers[1].descriptor
    assert descriptor is not None
    content = engine.data_root / "containerd/daemon/io.containerd.content.v1.content/blobs/sha256"
    blob = content / descriptor.digest.hex
    kept = blob.rename(blob.with_name("kept"))
    with pytest.raises(EngineError, match=f"broke off while saving {tag}: .*{blob.name}"):
        squash_engine(engine.host, tag, TAG)
    kept.rename(blob)
    engine.docker("rmi", tag)


# -- not reaching


def describe(environment: dict[str, str], name: str = "app") -> None:
    """Ask an engine for an image."""
    env = Environment(engine=EngineOptions(environment))
    with EngineLocation("", name).open_source(None, env) as source:
        source.describe()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("unix:///nowhere/docker.sock", "No such file or directory"),
        ("tcp://127.0.0.1:9", "Connection refused"),
        ("nonsense://x", "expected unix:///PATH, tcp://HOST:PORT or ssh://HOST"),
        ("tcp://no-such-host.invalid:2375", "."),
    ],
)
def test_a_wrong_host(host: str, reason: str) -> None:
    """The message says which, why, and what to do; the same for source and destination."""
    for attempt in (describe_at, enter):
        with pytest.raises(EngineError, match=reason) as error:
            attempt(host)
        assert str(error.value).startswith(f"can't reach the Docker engine at {host}: ")
        assert str(error.value).endswith("; start it, or set DOCKER_HOST")
        assert "\n" not in str(error.value)
        assert error.value.exit_code == 5


def test_a_name_that_may_have_been_a_file_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That there is no such file is said even if the new image would go to the engine."""
    monkeypatch.chdir(tmp_path)
    env = Environment(engine=EngineOptions({"DOCKER_HOST": "unix:///nowhere/docker.sock"}))
    told = "no file 'app:1' here, and the Docker engine at unix:///nowhere/docker.sock can't be"
    for output in (None, "docker-archive:new.tar"):
        with pytest.raises(EngineUnreachable, match=f"^{re.escape(told)} "):
            api.squash("app:1", last=2, output=output, env=env)
    file = to_file(tmp_path / "app.tar", docker_archive(*TARS))
    for source, place in ((file, "app:2"), ("app:1", None)):
        with pytest.raises(EngineUnreachable, match=r"; files need no engine \(docker-archive:"):
            api.squash(source, last=2, output=place, env=env)
    with pytest.raises(EngineUnreachable, match=r"^can't reach the .*; start .* DOCKER_HOST$"):
        api.squash("docker-daemon:app:1", last=2, env=env)


def test_a_socket_that_may_not_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, and answers others. Root may use any, so the system's answer is made up."""

    def denied(_host: Host) -> Connection:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("lamella.transport.engine.client.connect_to", denied)
    with pytest.raises(EngineUnreachable) as error:
        describe({"DOCKER_HOST": "unix:///x"})
    told = (
        "you may not use the Docker engine at unix:///x (Permission denied); join the group docker,"
    )
    assert str(error.value).startswith(told)


def describe_at(host: str) -> None:
    """Use it as a source."""
    describe({"DOCKER_HOST": host})


def enter(host: str) -> None:
    """Use it as a destination."""
    with engine_at(host):
        pass


def test_something_else_listens_there(tmp_path: Path) -> None:
    """A socket whose owner hangs up."""
    refused = pytest.raises(EngineError, match="can't reach the Docker engine")
    with proxy_of(tmp_path / "gone.sock", tmp_path) as proxy, refused:
        describe({"DOCKER_HOST": proxy.host})


@pytest.mark.engine
def test_the_current_context_is_used(engine: Engine, app: str, tmp_path: Path) -> None:
    """As `docker context use` sets it; a failure names the context."""
    make_context(tmp_path, "mine", {"Host": engine.host})
    make_context(tmp_path, "dead", {"Host": "unix:///nowhere.sock"})
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    environment = {"DOCKER_CONFIG": str(tmp_path)}
    describe(environment, app)
    with pytest.raises(EngineError, match=r"unix:///nowhere.sock \(context dead\)"):
        describe({**environment, "DOCKER_CONTEXT": "dead"}, app)
