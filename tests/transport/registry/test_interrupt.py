"""Interrupted while a registry keeps us waiting: it ends at once, and leaves nothing behind."""

from __future__ import annotations

import random
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from lamella.errors import EngineError
from lamella.transport.registry import RegistryOptions
from lamella.transport.registry.http_client import HttpClient
from tests.cli.running import start
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import entry, folder, layer
from tests.transport.registry.faulty import Front, front_of
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server

_RANDOM = random.Random(13)
TARS = [
    layer("etc/", entry("etc/a", _RANDOM.randbytes(300_000))),
    layer(folder("app"), entry("app/one", _RANDOM.randbytes(300_000))),
    layer(folder("app"), entry("app/two", _RANDOM.randbytes(300_000))),
]
_SOON = patience(10)
"""Seconds; a registry that does not answer is otherwise waited for for 60 or 300."""


class Silence:
    """Lets a registry say nothing any more."""

    def __init__(self) -> None:
        self.reached, self.over = threading.Event(), threading.Event()

    def __call__(self) -> None:
        """Begin; it lasts until the test is over."""
        self.reached.set()
        self.over.wait(patience(120))


@pytest.fixture
def silence() -> Iterator[Silence]:
    """Return one that ends with the test."""
    silence = Silence()
    yield silence
    silence.over.set()


def interrupt(command: Sequence[str], tmp: Path, silence: Silence) -> None:
    """Press Ctrl-C once a registry has fallen silent: lamella ends soon and leaves nothing."""
    with start(*command, tmp=tmp, env={"HOME": str(tmp)}) as process:
        try:
            while not silence.reached.wait(0.1):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=_SOON)
        finally:
            process.kill()

    assert process.returncode == 130, said
    assert said.endswith(b"lamella: interrupted; nothing was left behind\n")
    assert list(tmp.iterdir()) == []


@pytest.mark.engine
@pytest.mark.parametrize(
    ("about", "cut", "elsewhere"),
    [
        ("GET .*/manifests/1", None, False),
        ("GET .*/blobs/TOP", None, False),
        ("GET .*/blobs/TOP", 100_000, False),
        ("GET .*/blobs/BASE", None, True),
        ("GET .*/blobs/BASE", 100_000, True),
        ("HEAD .*/blobs/BASE", None, False),
        ("POST .*mount=", None, False),
        ("PUT .*digest", None, False),
        ("PUT .*/manifests/s", None, False),
    ],
)
def test_ctrl_c(
    plain: Server,
    front: Front,
    client: Client,
    name: str,
    tmp_path: Path,
    silence: Silence,
    about: str,
    cut: int | None,
    elsewhere: bool,
) -> None:
    """Whatever is waited for, and whichever thread waits."""
    client.push(f"{name}:1", TARS)
    base, top, _ = (described["digest"] for described in client.manifest(name, "1")["layers"])
    about = about.replace("BASE", base).replace("TOP", top)
    front.add(about, times=99, cut=cut, then=silence)
    target = f"docker://{plain.host if elsewhere else front.host}/{name}-o:s"
    command = ["squash", f"docker://{front.host}/{name}:1", "#1", "-o", target]
    interrupt(command, tmp_path, silence)
    assert client.ask("GET", f"/v2/{name}-o/manifests/s")[0] == 404


@pytest.mark.engine
def test_ctrl_c_while_a_layer_is_sent_in_pieces(
    front: Front, client: Client, name: str, tmp_path: Path, silence: Silence
) -> None:
    """A piece is on its way while the next is made: the thread that sends it is not waited for."""
    noise = [layer(entry(f"data/{n}", _RANDOM.randbytes(20 << 20))) for n in range(2)]
    archive, tmp = tmp_path / "app.tar", tmp_path / "tmp"
    archive.write_bytes(docker_archive(*noise))
    tmp.mkdir()
    front.add("PATCH", times=99, then=silence)
    command = ["squash", str(archive), "-o", f"docker://{front.host}/{name}:s"]
    interrupt(command, tmp, silence)
    assert client.ask("GET", f"/v2/{name}/manifests/s")[0] == 404


def test_ctrl_c_while_repositories_are_listed(tmp_path: Path, silence: Silence) -> None:
    """Several threads wait then."""
    with registry_in_memory(Oddly(0)) as registry, front_of(registry.host) as front:
        for number in range(20):
            registry.put(f"team/app{number}", "v1", "", b"{}")
        front.add("GET .*/tags/list", times=99, headers={"X-Nothing": "1"}, then=silence)
        command = ["batch", f"docker://{front.host}/team/*", "--to", "docker://{host}/slim/{name}"]
        interrupt(command, tmp_path, silence)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connections_that_are_just_made(scheme: str) -> None:
    """Who is taken and then left alone, before a word or in the middle of TLS, is not kept."""
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        closing(HttpClient(RegistryOptions(), "")) as web,
        ThreadPoolExecutor() as pool,
    ):
        url = f"{scheme}://127.0.0.1:{deaf.getsockname()[1]}/"
        asked = pool.submit(web.send, "GET", url, {})
        taken, _ = deaf.accept()
        with taken:
            taken.recv(1)
            web.stop()
            with pytest.raises(EngineError):
                asked.result(_SOON)
        with pytest.raises(EngineError, match="interrupted"):
            web.send("GET", url, {})
