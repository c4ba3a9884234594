"""Certificates where Docker, Podman and skopeo look for them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import lamella
from lamella.errors import EngineError
from tests.cli.running import run
from tests.engines.fixtures import started
from tests.support.tars import layer
from tests.transport.registry.conftest import Make
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server, registry_server

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    """A registry that lets in only who has a certificate."""
    yield from started(registry_server(tls=True, mutual=True), "registry for certificates")


@pytest.fixture
def home(strict: Server, tmp_path: Path) -> Path:
    """A home with what is needed for that registry."""
    folder = tmp_path / "home/.config/containers/certs.d" / strict.host
    folder.mkdir(parents=True)
    for source, target in {
        "ca.pem": "ca.crt",
        "cert.pem": "client.cert",
        "key.pem": "client.key",
    }.items():
        shutil.copy(strict.work / source, folder / target)
    return tmp_path / "home"


def test_client_certificates(
    plain: Server, strict: Server, client: Client, name: str, home: Path, tmp_path: Path
) -> None:
    """They are found without being named."""
    client.push(f"{name}:1", [layer(("a", b"a")), layer(("b", b"b"))])
    (work := tmp_path / "work").mkdir()
    source, target = f"docker://{plain.host}/{name}:1", f"docker://{strict.host}/{name}:s"
    run("squash", source, "-o", target, tmp=work, env={"HOME": str(home)}).worked()
    run("layers", target, tmp=work, env={"HOME": str(home)}).worked()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("ca.crt", r"its certificate is not trusted"),
        ("client.cert", r"requires a client certificate.*certs\.d/127\.0\.0\.1:[0-9]+/\*\.cert"),
        ("client.key", r"can't use .*client\.cert and client\.key: No such file"),
    ],
)
def test_what_is_missing_is_said(
    strict: Server, name: str, home: Path, env: Make, missing: str, said: str
) -> None:
    """In one line, with the file where there is one."""
    certs = home / ".config/containers/certs.d"
    (certs / strict.host / missing).unlink()
    with pytest.raises(EngineError, match=said):
        lamella.squash(f"docker://{strict.host}/{name}:1", env=env(certs=(str(certs),)))
