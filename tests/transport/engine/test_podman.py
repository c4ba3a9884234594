"""Which Podman is meant, the service that is started for it, and what it calls images."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamella.errors import EngineError, InvalidReference
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.media_type import DOCKER_MANIFEST, OCI_MANIFEST, oci_layer
from lamella.transport.engine import podman_host, podman_service
from lamella.transport.engine.host import Host
from lamella.transport.engine.load_body import SentLayer, podman_manifest
from lamella.transport.engine.location import EngineLocation
from lamella.transport.engine.names import choose_removal, podman_name
from lamella.transport.engine.options import EngineOptions
from lamella.transport.engine.podman_host import find_podman
from lamella.transport.engine.podman_service import PodmanService
from lamella.transport.environment import Environment
from tests.engines.daemon import Engine
from tests.engines.namespace import unmount_below, wait_until
from tests.engines.tools import CONTAINERS_CONF, STORAGE_CONF
from tests.support.images import config_of
from tests.support.machine import patience

LAMELLA = Path(sys.executable).with_name("lamella")
USER = 1000


@pytest.fixture
def short() -> Iterator[Path]:
    """Make a folder whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="lamella-test-") as folder:
        yield Path(folder)


@pytest.fixture
def no_service(monkeypatch: pytest.MonkeyPatch, short: Path) -> dict[str, str]:
    """Return an environment in which no Podman listens; its commands are in the folder `bin`."""
    monkeypatch.setattr(podman_host, "SYSTEM_SOCKET", f"{short}/none.sock")
    monkeypatch.setattr(tempfile, "tempdir", str(short / "tmp"))
    for name in ("bin", "tmp"):
        (short / name).mkdir()
    return {"XDG_RUNTIME_DIR": str(short), "PATH": str(short / "bin")}


def listening(path: Path) -> socket.socket:
    """Listen, as a service does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


# -- where it listens


def test_container_host_wins(short: Path) -> None:
    """Over any socket, whether or not somebody listens there."""
    environment = {"CONTAINER_HOST": "unix:///far/podman.sock", "XDG_RUNTIME_DIR": str(short)}
    with listening(short / "podman/podman.sock"):
        assert find_podman(environment, USER) == Host("unix:///far/podman.sock", podman=True)
    assert find_podman({"CONTAINER_HOST": "tcp://far:1"}, 0) == Host("tcp://far:1", podman=True)


def test_a_user_and_root_have_a_socket_each(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two storages: neither is taken for the other."""
    monkeypatch.setattr(podman_host, "SYSTEM_SOCKET", f"{short}/system.sock")
    environment = {"XDG_RUNTIME_DIR": str(short)}
    with listening(short / "podman/podman.sock"):
        mine = find_podman(environment, USER)
        assert mine == Host(f"unix://{short}/podman/podman.sock", podman=True)
        assert find_podman(environment, 0) is None
    with listening(short / "system.sock"):
        assert find_podman(environment, 0) == Host(f"unix://{short}/system.sock", podman=True)
        assert find_podman(environment, USER) is None  # its own is dead, though the file is there


def test_podman_over_ssh() -> None:
    """With the key that podman would take."""
    url = "ssh://core@machine:22/run/podman.sock"
    environment = {"CONTAINER_HOST": url, "CONTAINER_SSHKEY": "/keys/a"}
    assert find_podman(environment, USER) == Host(url, podman=True, key="/keys/a")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "expected unix:///PATH"),
        ("npipe://x", "expected unix"),
        ("ssh://a:b@c", "password"),
    ],
)
def test_a_container_host_of_another_kind(url: str, words: str) -> None:
    """The message names the variable, and what would do."""
    with pytest.raises(EngineError, match=words) as error:
        find_podman({"CONTAINER_HOST": url}, USER)
    assert str(error.value).startswith("CONTAINER_HOST=")


@pytest.fixture
def connections(tmp_path: Path) -> dict[str, str]:
    """Keep connections in the files of two releases of Podman."""
    folder = tmp_path / "containers"
    folder.mkdir()
    far = {"URI": "ssh://core@far/run/p.sock", "Identity": "/keys/far"}
    kept = {"Connection": {"Default": "far", "Connections": {"far": far, "odd": {"URI": 5}}}}
    (folder / "podman-connections.json").write_text(json.dumps(kept))
    (folder / "containers.conf").write_text(
        "[engine.service_destinations.old]\nuri = 'unix:///old.sock'\n"
        "[engine.service_destinations.far]\nuri = 'unix:///not-this.sock'\n"
    )
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_connections_by_name(connections: dict[str, str]) -> None:
    """CONTAINER_CONNECTION names one; the newer file counts first, CONTAINER_HOST before all."""
    far = Host("ssh://core@far/run/p.sock", podman=True, key="/keys/far")
    assert find_podman({**connections, "CONTAINER_CONNECTION": "far"}, USER) == far
    old = find_podman({**connections, "CONTAINER_CONNECTION": "old"}, USER)
    assert old == Host("unix:///old.sock", podman=True)
    both = {"CONTAINER_CONNECTION": "far", "CONTAINER_HOST": "unix:///this.sock"}
    assert find_podman({**connections, **both}, USER) == Host("unix:///this.sock", podman=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone", "no Podman connection 'gone'; `podman system connection list` lists them"),
        ("odd", "connection 'odd' in .*podman-connections.json names no service"),
    ],
)
def test_connections_that_are_none(connections: dict[str, str], name: str, words: str) -> None:
    """It is never another service that is used instead."""
    with pytest.raises(EngineError, match=words):
        find_podman({**connections, "CONTAINER_CONNECTION": name}, USER)


@pytest.mark.parametrize("text", ["[engine", "\udcff"])
def test_connections_in_a_damaged_file(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    path = tmp_path / "odd.conf"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(EngineError, match=r"can't read .*odd\.conf"):
        find_podman({"CONTAINERS_CONF": str(path), "CONTAINER_CONNECTION": "a"}, USER)


def attempts(environment: dict[str, str]) -> Iterator[None]:
    """Reach Podman as a source, then as a destination."""
    env, podman = Environment(engine=EngineOptions(environment)), EngineLocation("podman", "app")
    with podman.open_source(None, env) as source:
        source.describe()
    yield
    with podman.open_destination(env):
        yield


def test_nobody_listens_where_container_host_says(no_service: dict[str, str]) -> None:
    """It is called Podman, and its own variable is named; no service is started then."""
    environment = {**no_service, "CONTAINER_HOST": "unix:///nowhere/podman.sock"}
    with pytest.raises(EngineError) as error:
        list(attempts(environment))
    assert str(error.value) == (
        "can't reach Podman at unix:///nowhere/podman.sock: No such file or directory; "
        "start it, or set CONTAINER_HOST"
    )


def test_neither_a_service_nor_podman(no_service: dict[str, str]) -> None:
    """What would help is said; exit code 5."""
    with pytest.raises(
        EngineError, match="no podman command to start one; set CONTAINER_HOST"
    ) as e:
        list(attempts(no_service))
    assert e.value.exit_code == 5


# -- the service


def command(folder: Path, script: str) -> None:
    """Make a podman command."""
    path = folder / "bin/podman"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_service_that_ends_at_once(no_service: dict[str, str], short: Path) -> None:
    """Its last words are told, and its folder is gone."""
    command(short, 'echo "cannot clone: Operation not permitted"; exit 125')
    with pytest.raises(EngineError, match="ended at once: cannot clone: Operation not permitted"):
        list(attempts(no_service))
    assert not list((short / "tmp").iterdir())


def test_a_service_that_never_answers(
    no_service: dict[str, str], short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for for ever, and it is not left running."""
    command(short, f'echo $$ > "{short}/pid"; PATH=/usr/bin:/bin exec sleep 60')
    monkeypatch.setattr(podman_service, "_START_TIMEOUT", 0.3)
    with pytest.raises(EngineError, match="did not answer within 0 seconds: it said nothing"):
        list(attempts(no_service))
    assert not list((short / "tmp").iterdir())
    assert not Path("/proc", (short / "pid").read_text().strip()).exists()


def test_a_service_that_will_not_go_is_killed(
    short: Path, monkeypatch: pytest.MonkeyPatch, no_service: dict[str, str]
) -> None:
    """After some patience."""
    monkeypatch.setattr(podman_service, "_START_TIMEOUT", 0.3)
    monkeypatch.setattr(podman_service, "_STOP_TIMEOUT", 0.2)
    command(short, f'trap "" TERM; echo $$ > "{short}/pid"; while :; do /bin/sleep 0.1; done')
    with pytest.raises(EngineError, match="did not answer"):
        PodmanService().take(str(short / "bin"))
    assert not Path("/proc", (short / "pid").read_text().strip()).exists()


def test_a_command_that_can_not_be_run(short: Path, no_service: dict[str, str]) -> None:
    """The shell says why."""
    (short / "bin/podman").write_text("#!/nowhere/sh\n")
    (short / "bin/podman").chmod(0o755)
    with pytest.raises(EngineError, match=r"ended at once: .*not found"):
        PodmanService().take(str(short / "bin"))


# -- names


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("app", "localhost/app:latest"),
        ("app:1", "localhost/app:1"),
        ("team/app:1", "localhost/team/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("example.com/app:1", "example.com/app:1"),
        ("HOST/app:1", "HOST/app:1"),
        ("docker.io/app:1", "docker.io/library/app:1"),
        ("docker.io/team/app:1", "docker.io/team/app:1"),
    ],
)
def test_what_podman_calls_an_image(tag: str, name: str) -> None:
    """As `podman tag` does: without a registry it is of this machine."""
    assert podman_name(tag) == name


def test_no_name() -> None:
    """It is refused as everywhere."""
    with pytest.raises(InvalidReference):
        podman_name("No:such:Name")


@pytest.mark.parametrize(
    ("name", "then", "new", "target", "kept"),
    [
        ("app:1", "localhost/app:1", "localhost/app:2", "localhost/app:1", None),
        ("app:1", "docker.io/library/app:1", "localhost/app:1", "docker.io/library/app:1", None),
        ("docker.io/app:1", "docker.io/library/app:1", "", "docker.io/library/app:1", None),
        ("app:1", "localhost/app:1", "localhost/app:1", None, "app:1 is kept: it is the new image"),
    ],
)
def test_what_goes_with_cleanup(
    name: str, then: str, new: str, target: str | None, kept: str | None
) -> None:
    """A short name is found under what Podman makes of it."""
    other = "example.com/other:1"
    new_tags = [new] if new else []
    assert choose_removal(name, [then, other], [then, other], new_tags) == (target, kept)


# -- manifests


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"Cmd": ["sh"]}, OCI_MANIFEST),
        ({"Healthcheck": {"Test": ["CMD", "true"]}}, DOCKER_MANIFEST),
        ({"OnBuild": [], "Shell": None}, OCI_MANIFEST),
        (None, OCI_MANIFEST),
    ],
)
def test_the_manifest_is_dockers_only_where_it_has_to_be(settings: object, kind: str) -> None:
    """Podman does not look for health checks in others; layers are called in the same manner."""
    tar = b"layer"
    value = {**config_of([Digest.of(tar)]), "config": settings}
    config = Config.parse(json.dumps(value).encode(), "test")
    descriptor = Descriptor(oci_layer(Codec.NONE), Digest.of(tar), len(tar))
    manifest = podman_manifest(config, [SentLayer(Digest.of(tar), descriptor, None)])
    assert manifest.media_type == kind
    assert manifest.config.digest == config.digest
    family = "docker" if kind == DOCKER_MANIFEST else "oci"
    assert family in manifest.config.media_type
    assert family in manifest.layers[0].media_type
    assert manifest.layers[0].digest == Digest.of(tar)


# -- the real one, ended in all the ways there are


@pytest.mark.engine
def test_a_docker_engine_is_not_taken_for_podman(docker_classic: Engine) -> None:
    """It would be sent what it can't load."""
    with pytest.raises(EngineError, match="no Podman answers there; use docker-daemon:NAME"):
        list(attempts({"CONTAINER_HOST": docker_classic.host}))


def services_in(folder: Path) -> list[int]:
    """Find the processes that were told to listen in a folder, or to watch over those."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder) in line and b"lamella-podman-" in line:
                found.append(int(entry.name))
    return found


@pytest.fixture
def storage(short: Path) -> Iterator[dict[str, str]]:
    """Make an empty storage; return what points Podman at it, and temporary files beside it."""
    (short / "storage.conf").write_text(STORAGE_CONF.format(work=short))
    (short / "containers.conf").write_text(CONTAINERS_CONF.format(work=short))
    (short / "own").mkdir()
    yield {
        "CONTAINERS_STORAGE_CONF": f"{short}/storage.conf",
        "CONTAINERS_CONF": f"{short}/containers.conf",
        "TMPDIR": f"{short}/own",
    }
    unmount_below(short)


@pytest.mark.engine
@pytest.mark.usefixtures("podman")  # it is installed
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_service_is_left_behind(
    short: Path, storage: dict[str, str], number: signal.Signals
) -> None:
    """However lamella ends: the service was started, and waits for an image that never comes."""
    kept = {key: value for key, value in os.environ.items() if key != "CONTAINER_HOST"}
    with subprocess.Popen(
        [LAMELLA, "squash", "-", "-o", "podman:app:1"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**kept, **storage},
    ) as process:
        assert wait_until(lambda: any(short.glob("own/*/podman.sock")), timeout=20)
        assert services_in(short)
        process.send_signal(number)
        process.wait(patience(20))
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    assert wait_until(lambda: not services_in(short), timeout=20)
    if number != signal.SIGKILL:
        assert not list((short / "own").iterdir())
