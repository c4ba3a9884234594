"""An engine that is far away: over TCP, with TLS and by ssh it is squashed in as over a socket."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import lamella
from lamella.errors import EngineError
from lamella.transport.engine.options import EngineOptions
from tests.engines.daemon import Engine
from tests.engines.images import name_app
from tests.engines.rootfs import export_rootfs
from tests.engines.sshd import sshd_on_loopback
from tests.engines.tools import Tool
from tests.transport.registry.server import make_certificates

APP = "line-tests/app:1"


@pytest.fixture(scope="module")
def near(docker_classic: Engine) -> Engine:
    """An engine with an image."""
    name_app(docker_classic, "line-tests/base:1", APP)
    return docker_classic


@contextlib.contextmanager
def port_of(engine: Engine, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Let an engine be reached through the network of this machine, one line after another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, engine, tls))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _accept(listener: socket.socket, engine: Engine, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            client = listener.accept()[0]
        except OSError:
            return
        threading.Thread(target=_pass, args=(client, engine, tls), daemon=True).start()


def _pass(client: socket.socket, engine: Engine, tls: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        near = stack.enter_context(socket.socket(socket.AF_UNIX))
        near.connect(str(engine.socket))
        stack.enter_context(client)
        far = stack.enter_context(tls.wrap_socket(client, server_side=True)) if tls else client
        while True:
            waiting = isinstance(far, ssl.SSLSocket) and far.pending()
            for side in [far] if waiting else select.select([near, far], [], [])[0]:
                data = side.recv(1 << 16)
                if not data:
                    return
                (near if side is far else far).sendall(data)


def squash(engine: Engine, environment: Mapping[str, str], tag: str) -> None:
    """Squash, and compare."""
    env = lamella.Environment(engine=EngineOptions(environment, source="api"))
    lamella.squash(f"docker-daemon:{APP}", "#1", tag, message=tag, env=env)
    assert export_rootfs(engine, tag) == export_rootfs(engine, APP)


@pytest.mark.engine
def test_over_tcp(near: Engine) -> None:
    """As `tcp://HOST:PORT`."""
    with port_of(near) as port:
        squash(near, {"DOCKER_HOST": f"tcp://127.0.0.1:{port}"}, "line-tests/tcp:1")


@pytest.mark.engine
def test_with_tls(near: Engine, tmp_path: Path) -> None:
    """Both sides show who they are; one who can't is refused, on either side."""
    make_certificates(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    make_certificates(other)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with port_of(near, context) as port:
        host = {"DOCKER_HOST": f"tcp://127.0.0.1:{port}"}
        squash(near, host | {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}, "tls:1")
        with pytest.raises(EngineError, match=r"can't reach .*CERTIFICATE_VERIFY_FAILED"):
            squash(near, host | {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(other)}, "tls:2")
        (other / "ca.pem").unlink()
        with pytest.raises(EngineError, match=r"DOCKER_TLS is set, but there is no ca\.pem"):
            squash(near, host | {"DOCKER_TLS": "1", "DOCKER_CERT_PATH": str(other)}, "tls:3")


def fake_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch, host: str = "") -> Path:
    """Have an ssh that logs its arguments and runs the command here, as a far shell would."""
    ssh = folder / "ssh"
    ssh.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/log\n'
        'while [ "$1" != -- ]; do shift; done; shift 2\n'
        f'DOCKER_HOST={host} exec sh -c "$*"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder / "log"


@pytest.mark.engine
def test_by_ssh(near: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own ssh is called, which runs the docker command there."""
    log = fake_ssh(tmp_path, monkeypatch, near.host)
    squash(near, {"DOCKER_HOST": "ssh://me@far.example:2222"}, "line-tests/ssh:1")
    called = log.read_text().splitlines()
    arguments = "-l me -p 2222 -- far.example docker system dial-stdio"
    assert all(line.endswith(arguments) for line in called)
    assert len(called) <= 4, "a line is used again, for it takes long to get one"


@pytest.mark.engine
def test_by_ssh_to_a_socket(near: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path in the address names the engine there; the default one of that host is not asked."""
    log = fake_ssh(tmp_path, monkeypatch, "unix:///nowhere/default.sock")
    link = tmp_path / "a socket's name"
    link.symlink_to(near.socket)
    squash(near, {"DOCKER_HOST": f"ssh://far.example{link}"}, "line-tests/ssh:2")
    for line in log.read_text().splitlines():
        assert "-- far.example docker --host 'unix://" in line
        assert line.endswith("system dial-stdio")


@pytest.mark.engine
def test_by_a_real_ssh_server(
    near: Engine, sshd: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with Docker's own command, but for the engine at the path."""
    with sshd_on_loopback(sshd, tmp_path) as server:
        monkeypatch.setenv("PATH", str(server.commands), prepend=":")
        squash(near, {"DOCKER_HOST": f"{server.address}{near.socket}"}, "line-tests/ssh:3")


def test_ssh_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is seen by the user; the message tells which engine was meant."""
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho no such host >&2\nexit 255\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    env = lamella.Environment(engine=EngineOptions({"DOCKER_HOST": "ssh://far.example"}))
    with pytest.raises(EngineError, match=r"at ssh://far.example: it closed the connection; "):
        lamella.squash("docker-daemon:app", env=env)
