"""The container image of lamella: built twice, loaded into real engines, and run there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines.daemon import Engine
from tests.engines.lamella_image import FOR_DOCKER, NAME, OCI, build_image
from tests.engines.tools import Podman
from tests.support.demo import put_demo

pytestmark = pytest.mark.engine

LARGEST = 60_000_000
NOBODY = ("--user", "12345:12345")

Run = Callable[..., bytes]
"""Runs a container of lamella: options of the engine, then `--`, then arguments of lamella."""


def test_same_packages_make_the_same_image(lamella_image: Path, tmp_path: Path) -> None:
    """To the byte, wherever and whenever it is built; it is small and has one layer."""
    build_image(tmp_path)
    for name in (OCI, FOR_DOCKER):
        assert (tmp_path / name).read_bytes() == (lamella_image / name).read_bytes()
        assert (lamella_image / name).stat().st_size <= LARGEST
    with tarfile.open(lamella_image / OCI) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        (manifest,) = json.load(index)["manifests"]
        blob = tar.extractfile("blobs/sha256/" + manifest["digest"].partition(":")[2])
        assert blob is not None
        assert len(json.load(blob)["layers"]) == 1


def in_docker_of(engine: Engine, lamella_image: Path) -> Run:
    """Load it into a Docker engine."""
    if not engine.docker("images", "--quiet", NAME):
        engine.docker("load", "--input", lamella_image / FOR_DOCKER)
    return _runner(engine.docker_bytes)


def _runner(call: Callable[..., bytes]) -> Run:
    def run(*words: str, stdin: bytes | None = None) -> bytes:
        options, arguments = words[: words.index("--")], words[words.index("--") + 1 :]
        entry = ("--rm", "--interactive", "--network=none")
        return call("run", *entry, *options, NAME, *arguments, input=stdin)

    return run


def in_podman_of(podman: Podman, lamella_image: Path) -> Run:
    """Load it into Podman."""
    if not podman("images", "--quiet", NAME):
        podman("load", "--input", lamella_image / OCI)

    def call(*words: str, input: bytes | None = None) -> bytes:  # noqa: A002 - as subprocess calls it
        command = podman.namespace.enter(["podman", *words])
        env = {**os.environ, **podman.environment}
        done = subprocess.run(command, input=input, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return _runner(call)


@pytest.fixture(params=["docker_classic", "docker_containerd", "podman"])
def place(request: pytest.FixtureRequest) -> Engine | Podman:
    """Each program that runs containers; how the newer Docker keeps images is no matter here."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Engine | Podman)
    return found


@pytest.fixture
def run(place: Engine | Podman, lamella_image: Path) -> Run:
    """Run it in each engine."""
    if isinstance(place, Podman):
        return in_podman_of(place, lamella_image)
    return in_docker_of(place, lamella_image)


@pytest.fixture
def run_once(podman: Podman, lamella_image: Path) -> Run:
    """Run it in one engine: what is in the image does not depend on that."""
    return in_podman_of(podman, lamella_image)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The demo's image."""
    put_demo(tmp_path / "demo.tar")
    return tmp_path / "demo.tar"


@pytest.fixture
def shared(place: Engine | Podman) -> Iterator[Path]:
    """A folder that everybody may write to, where the engine can see it."""
    with tempfile.TemporaryDirectory(dir=place.work) as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def layers_in(archive: bytes) -> int:
    """Count the layers of a docker-archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        return len(json.load(manifest)[0]["Layers"])


def test_help_is_what_it_shows(run_once: Run) -> None:
    """Without arguments; any arguments are lamella's."""
    assert run_once("--").startswith(b"Usage: lamella ")
    assert run_once("--", "--version").startswith(b"lamella 0.")


def test_pipe(run: Run, demo: Path) -> None:
    """What `docker save` writes comes in, what `docker load` reads goes out."""
    args = ("squash", "-", "--last", "3", "-t", "slim", "-o", "-")
    assert layers_in(run("--", *args, stdin=demo.read_bytes())) == 8


def test_archive_in_a_folder(run: Run, shared: Path) -> None:
    """The folder of images is mounted; no rights are needed, nor a file system to write to."""
    strict = ("--read-only", "--cap-drop=all", "--tmpfs=/tmp", *NOBODY)
    put_demo(shared / "demo.tar")
    args = ("squash", "demo.tar", "3", "--verify", "-o", "slim.tar")
    run(*strict, f"--volume={shared}:/work", "--", *args)
    assert layers_in((shared / "slim.tar").read_bytes()) == 4


def test_every_module_is_there(run_once: Run) -> None:
    """Nothing that lamella may import was taken away, and authorities are known."""
    script = (
        "import importlib, pkgutil, ssl, lamella\n"
        "for found in pkgutil.walk_packages(lamella.__path__, 'lamella.'):\n"
        "    found.name.endswith('__main__') or importlib.import_module(found.name)\n"
        "print(len(ssl.create_default_context().get_ca_certs()) > 100)\n"
    )
    assert run_once("--entrypoint=python3.11", "--", "-c", script) == b"True\n"


def test_nobody_is_root_in_it(run_once: Run) -> None:
    """Nor is there a shell."""
    script = "import os; print(os.getuid(), os.path.lexists('/bin/sh'))"
    assert run_once("--entrypoint=python3.11", "--", "-c", script) == b"65532 False\n"


@pytest.mark.parametrize("name", ["docker_classic", "docker_containerd"])
def test_socket_of_docker(
    name: str, request: pytest.FixtureRequest, lamella_image: Path, demo: Path
) -> None:
    """With the socket, and the group that it belongs to, images of the engine are squashed."""
    engine: Engine = request.getfixturevalue(name)
    engine.docker("load", "--input", demo)
    group = f"--group-add={engine.socket.stat().st_gid}"
    socket = f"--volume={engine.socket}:/var/run/docker.sock"
    args = ("squash", "lamella-demo:latest", "3", "in-container:1", "--verify")
    told = in_docker_of(engine, lamella_image)(socket, group, "--", *args).decode().strip()
    (found,) = json.loads(engine.docker("image", "inspect", "in-container:1"))
    assert found["Id"] == told
    assert len(found["RootFS"]["Layers"]) == 4


def test_socket_of_podman(podman: Podman, lamella_image: Path, demo: Path) -> None:
    """The same, with Podman's service."""
    podman("load", "--input", demo)
    socket = f"--volume={podman.socket}:/podman.sock"
    args = ("squash", "podman:lamella-demo:latest", "3", "in-container:1", "--verify")
    in_podman_of(podman, lamella_image)(
        socket, "--user=0", "--env=CONTAINER_HOST=unix:///podman.sock", "--", *args
    )
    (found,) = json.loads(podman("image", "inspect", "localhost/in-container:1"))
    assert len(found["RootFS"]["Layers"]) == 4
