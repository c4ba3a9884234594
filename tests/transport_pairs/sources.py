"""The kinds of places that an image is in, and how it gets there without lamella."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.engines.daemon import DOCKER_CLI, Engine
from tests.engines.process import run_bytes
from tests.engines.rootless import RootlessPodman
from tests.engines.tools import Podman, Tool
from tests.transport.registry.server import Server
from tests.transport_pairs.image import NAME, archive, layout

__all__ = ["ENGINES", "SOURCES", "Client", "Get", "Place", "client_of", "make_source"]

Get = Callable[[str], object]

SOURCES = {
    "docker-20": "`docker-daemon:` Docker 20.10",
    "docker-25": "`docker-daemon:` Docker 25 and later",
    "containerd": "`docker-daemon:` containerd store",
    "podman": "`podman:` root's",
    "rootless": "`podman:` a user's",
    "docker-archive-20": "`docker-archive:` by Docker 20.10",
    "docker-archive-25": "`docker-archive:` by Docker 25 and later",
    "oci": "`oci:` gzip",
    "oci-archive": "`oci-archive:` zstd",
    "registry-docker": "`docker://` Docker manifest, gzip",
    "registry-oci": "`docker://` OCI manifest, gzip",
    "stdin": "`-` docker-archive, by the containerd store",
    "stdin-oci": "`-` oci-archive, gzip",
}
"""Each kind, and what the table in the documentation calls it."""
ENGINES = {
    "docker-20": "docker_classic",
    "docker-25": "docker_modern",
    "containerd": "docker_containerd",
    "podman": "podman",
    "rootless": "podman_rootless",
}


@dataclass(frozen=True)
class Place:
    """An image, as a user types it."""

    reference: str
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""


@dataclass(frozen=True)
class Client:
    """How an engine is spoken to by the docker command, and by lamella."""

    transport: str
    docker: Mapping[str, str]
    """What points the docker command at it."""
    lamella: Mapping[str, str]
    """What points lamella at it."""

    def can_take(self, place: Place) -> bool:
        """Whether one command can reach both: it speaks to one Docker and to one Podman."""
        theirs = place.environment
        return all(theirs.get(key, value) == value for key, value in self.lamella.items())

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Run `docker ARGUMENTS`."""
        return run_bytes([DOCKER_CLI, *arguments], stdin=stdin, env=self.docker)


def client_of(kind: str, get: Get) -> Client:
    """Return how to speak to an engine, which is started if it does not run."""
    engine = get(ENGINES[kind])
    if isinstance(engine, Engine):
        return Client("docker-daemon", engine.environment, engine.environment)
    if isinstance(engine, Podman):
        return Client("podman", engine.client, {"CONTAINER_HOST": engine.host})
    assert isinstance(engine, RootlessPodman)
    host = f"unix://{engine.runtime}/podman/podman.sock"
    return Client("podman", {"DOCKER_HOST": host}, {"CONTAINER_HOST": host})


def make_source(kind: str, get: Get, folder: Path) -> Place:
    """Put the image into a place of this kind.

    Args:
        kind: of `SOURCES`.
        get: returns a fixture of the whole run, or ends the test.
        folder: for files of this source alone.
    """
    if kind in ENGINES:
        client = client_of(kind, get)
        client("load", stdin=archive())
        return Place(f"{client.transport}:{NAME}", client.lamella)
    if kind.startswith("docker-archive"):
        path = folder / "app.tar"
        path.write_bytes(_save(kind.removeprefix("docker-archive"), get))
        return Place(f"docker-archive:{path}")
    if kind == "oci":
        return Place(f"oci:{layout('gzip').write(folder / 'layout')}:app")
    if kind == "oci-archive":
        (folder / "app.oci").write_bytes(layout("zstd").tar())
        return Place(f"oci-archive:{folder}/app.oci:app")
    if kind.startswith("registry"):
        return _push(kind, get, folder)
    return Place("-", {}, layout("gzip").tar() if kind == "stdin-oci" else _save("containerd", get))


def _save(kind: str, get: Get) -> bytes:
    client = client_of({"-20": "docker-20", "-25": "docker-25"}.get(kind, kind), get)
    client("load", stdin=archive())
    return client("save", NAME)


def _push(kind: str, get: Get, folder: Path) -> Place:
    """Let skopeo push; it converts nothing if it need not."""
    skopeo, server = get("skopeo"), get("plain")
    assert isinstance(skopeo, Tool)
    assert isinstance(server, Server)
    name = f"docker://{server.host}/pairs/{kind}:1"
    if kind == "registry-docker":
        (folder / "app.tar").write_bytes(archive())
        source = f"docker-archive:{folder}/app.tar"
    else:
        source = f"oci:{layout('gzip').write(folder / 'layout')}:app"
    skopeo("copy", "--dest-tls-verify=false", source, name)
    return Place(name)
