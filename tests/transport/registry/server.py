"""Real registries on this machine: plain, with TLS and passwords, with tokens."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines.daemon import EngineUnavailableError
from tests.engines.namespace import wait_until
from tests.engines.process import run

USER, PASSWORD = "tester", "secret"
# bcrypt of the password above, as htpasswd -B writes it.
HTPASSWD = f"{USER}:$2b$04$TzZMXfUR2iv2FFLgdyhMKuF2O/LUMIvYPE3tXCe3729K8cSF/lbOq\n"


@dataclass(frozen=True)
class Server:
    """A running registry."""

    host: str
    """``127.0.0.1:PORT``."""
    work: Path
    ca: Path | None = None

    @property
    def log(self) -> str:
        """What it said."""
        return (self.work / "registry.log").read_text(errors="replace")

    def auth_file(self, folder: Path, user: str = USER, password: str = PASSWORD) -> Path:
        """Write credentials for it, as docker login does."""
        return write_auth(folder, self.host, user, password)


def write_auth(folder: Path, host: str, user: str = USER, password: str = PASSWORD) -> Path:
    """Write a file with credentials for a registry."""
    import base64  # noqa: PLC0415 - nobody else here needs it

    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path = folder / "auth.json"
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def make_certificates(folder: Path) -> None:
    """Make an authority (``ca.pem``) and a certificate of it for 127.0.0.1 (``cert.pem``)."""

    def openssl(*arguments: str | Path) -> None:
        run(["openssl", *arguments])

    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(
        *("req", "-x509", *key, "-subj", "/CN=lamella test authority"),
        *("-keyout", folder / "ca.key", "-out", folder / "ca.pem"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    openssl(
        *("req", *key[:3], "-subj", "/CN=127.0.0.1"),
        *("-keyout", folder / "key.pem", "-out", folder / "request.pem"),
    )
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl(
        *("x509", "-req", "-in", folder / "request.pem", "-days", "2", "-CAcreateserial"),
        *("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"),
        *("-extfile", folder / "extensions", "-out", folder / "cert.pem"),
    )


@contextlib.contextmanager
def registry_server(
    *, tls: bool = False, mutual: bool = False, auth: dict[str, Any] | None = None
) -> Iterator[Server]:
    """Run this machine's ``docker-registry``.

    Args:
        tls: with a certificate of an authority of its own.
        mutual: its clients need one of that authority, too.
        auth: the section of its configuration; ``{"htpasswd": {}}`` is filled in.

    Raises:
        EngineUnavailableError: there is none, or it does not start.
    """
    if shutil.which("docker-registry") is None:
        raise EngineUnavailableError("no docker-registry: run tests/engines/install.sh")
    with tempfile.TemporaryDirectory(prefix="lamella-registry-") as folder:
        work, host = Path(folder), f"127.0.0.1:{free_port()}"
        settings: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": f"{work}/data"}},
            "validation": {"manifests": {"urls": {"allow": ["^https://example.com/"]}}},
            "http": {"addr": host, "secret": "of the tests"},
        }
        if tls:
            make_certificates(work)
            files = {"certificate": f"{work}/cert.pem", "key": f"{work}/key.pem"}
            settings["http"]["tls"] = files | ({"clientcas": [f"{work}/ca.pem"]} if mutual else {})
        if auth is not None:
            settings["auth"] = auth
            if "htpasswd" in auth:
                (work / "htpasswd").write_text(HTPASSWD)
                auth["htpasswd"] |= {"realm": "tests", "path": f"{work}/htpasswd"}
        (work / "config.yml").write_text(json.dumps(settings))
        with (work / "registry.log").open("wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve", work / "config.yml"],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
            )
        server = Server(host, work, work / "ca.pem" if tls else None)
        try:
            wait_until(lambda: _listens(host) or process.poll() is not None, timeout=120)
            if not _listens(host):
                raise EngineUnavailableError(f"docker-registry does not start: {server.log[-500:]}")
            yield server
        finally:
            process.terminate()
            process.wait(10)


def _listens(host: str) -> bool:
    name, _, port = host.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((name, int(port)), 1):
        return True
    return False
