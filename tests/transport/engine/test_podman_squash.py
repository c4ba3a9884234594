"""Real images in real Podmans: root's, and a plain user's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import lamella
from tests.engines.daemon import Engine
from tests.engines.images import name_app
from tests.engines.process import CommandError
from tests.engines.rootfs import Node, export_rootfs
from tests.engines.rootless import RootlessPodman
from tests.engines.tools import Podman
from tests.support.images import docker_archive
from tests.support.tars import layer
from tests.support.warm import warm_command
from tests.transport.engine.proxy import proxy_of

pytestmark = pytest.mark.engine

LAMELLA = Path(sys.executable).with_name("lamella")
BASE, APP = "podman-tests/base:1", "podman-tests/app:1"

_loaded: set[object] = set()


@pytest.fixture(scope="module")
def archive(docker_classic: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a base and an application as Docker builds them."""
    name_app(docker_classic, BASE, APP)
    path = tmp_path_factory.mktemp("podman") / "images.tar"
    docker_classic.docker("save", "-o", path, BASE, APP)
    path.chmod(0o644)
    return path


@pytest.fixture
def root(podman: Podman, archive: Path) -> Podman:
    """Root's Podman with both images."""
    if podman not in _loaded:
        podman("load", "-i", archive)
        _loaded.add(podman)
    return podman


@pytest.fixture
def user(podman_rootless: RootlessPodman, archive: Path) -> RootlessPodman:
    """A plain user's Podman with both images."""
    if podman_rootless not in _loaded:
        copy = podman_rootless.work / "images.tar"
        copy.write_bytes(archive.read_bytes())
        podman_rootless("load", "-i", copy)
        _loaded.add(podman_rootless)
    return podman_rootless


def run(
    environment: Mapping[str, str], *arguments: str | Path, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run lamella as root does who has set some variables."""
    done = subprocess.run(
        [warm_command(), *arguments],
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def at(podman: Podman) -> dict[str, str]:
    """Return what points lamella at a Podman."""
    return {"CONTAINER_HOST": podman.host}


def layers_of(podman: Callable[..., str], image: str) -> list[str]:
    """Return the diff_ids that Podman tells."""
    return list(json.loads(podman("image", "inspect", image))[0]["RootFS"]["Layers"])


def start(podman: Callable[..., str], image: str, *command: str) -> str:
    """Run a container."""
    return podman("run", "--rm", "--network=none", image, *command)


def without_root(nodes: dict[str, Node]) -> dict[str, Node]:
    """Leave out the root folder: no layer has an entry for it, each engine makes its own."""
    return {path: node for path, node in nodes.items() if path != "/"}


# -- root


def test_squashed_to_its_base_an_image_stays_the_same(root: Podman, tmp_path: Path) -> None:
    """Base shared, root file system equal in every attribute, nothing of the base sent; it runs."""
    before = layers_of(root, APP)

    with proxy_of(root.socket, tmp_path) as proxy:
        proxy.watch = "/images/load"
        own = "--message=no other test makes this image"  # or there would be nothing to send
        host = {"CONTAINER_HOST": proxy.host}
        done = run(host, "squash", f"podman:{APP}", BASE, "app:root", own)
        sent = proxy.sent

    base = layers_of(root, BASE)
    after = layers_of(root, "localhost/app:root")
    assert after[:-1] == base
    assert len(after) == len(base) + 1 < len(before)
    assert done.stdout.strip() == f"sha256:{image_id(root, 'localhost/app:root')}"
    assert f"shared with {BASE}" in done.stderr
    assert export_rootfs(root, "localhost/app:root") == export_rootfs(root, APP)
    assert start(root, "localhost/app:root") == start(root, APP) != ""
    archive = root.work / "squashed.tar"
    root("save", "-o", archive, "localhost/app:root")
    assert 0 < sent < archive.stat().st_size / 2


def image_id(podman: Callable[..., str], image: str) -> str:
    """Return what Podman calls an image."""
    return podman("image", "inspect", "--format", "{{.Id}}", image).strip()


def test_the_middle_is_squashed_and_nothing_above_is_sent(root: Podman, tmp_path: Path) -> None:
    """Podman finds a layer on whatever it stands."""
    with proxy_of(root.socket, tmp_path) as proxy:
        proxy.watch = "/images/load"
        reference = f"containers-storage:localhost/{APP}"
        run({"CONTAINER_HOST": proxy.host}, "squash", reference, "--layers", "3-5", "-t", "app:mid")
        assert proxy.requests.count("POST /images/load") == 1
    old, new = layers_of(root, APP), layers_of(root, "localhost/app:mid")
    assert (new[:2], new[3:]) == (old[:2], old[5:])
    assert export_rootfs(root, "localhost/app:mid") == export_rootfs(root, APP)


def test_squashing_again_finds_nothing_to_do(root: Podman) -> None:
    """And the image gets its second name, as Podman would call it."""
    run(at(root), "squash", f"podman:{APP}", BASE, "app:once")
    again = run(
        at(root), "squash", "podman:app:once", BASE, "team/app:twice", "--exit-code", check=False
    )
    assert again.returncode == 3
    assert image_id(root, "localhost/team/app:twice") == image_id(root, "localhost/app:once")


def test_names_are_shown_with_the_layers(root: Podman) -> None:
    """The base's at its layer."""
    lines = run(at(root), "layers", f"podman:{APP}", "-t").stdout.splitlines()
    assert len(lines) == len(layers_of(root, APP))
    assert f"'localhost/{BASE}'" in lines[len(layers_of(root, BASE)) - 1]
    assert f"'localhost/{APP}'" in lines[-1]


def test_the_old_image_goes_with_cleanup(root: Podman) -> None:
    """By the name that it was called by; where its name went to the new one, all of it."""
    root("tag", APP, "localhost/old:1")
    run(at(root), "squash", "podman:old:1", BASE, "old:2", "--cleanup", "--message", "old")
    assert "localhost/old:1" not in root("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert layers_of(root, APP)
    old = image_id(root, "localhost/old:2")
    run(at(root), "squash", "podman:old:2", "-t", "old:2", "--cleanup")
    assert old not in root("images", "--all", "--no-trunc", "--format", "{{.Id}}")
    assert len(layers_of(root, "localhost/old:2")) == 1


def test_health_checks_stay(root: Podman) -> None:
    """Podman sees them only in images that are called Docker's."""
    dockerfile = f'FROM {APP}\nHEALTHCHECK CMD ["true"]\n'.encode()
    empty = root.work / "empty"
    empty.mkdir()
    root("build", "--format=docker", "-t", "healthy:1", "-f", "-", empty, stdin=dockerfile)
    run(at(root), "squash", "podman:healthy:1", BASE, "healthy:2")
    shown = [
        root("image", "inspect", "--format", "{{json .HealthCheck}}", f"localhost/healthy:{n}")
        for n in (1, 2)
    ]
    assert shown[0] == shown[1]
    assert '"Test"' in shown[0]


def test_to_files_and_back(root: Podman, tmp_path: Path) -> None:
    """Into an archive and a layout, and from there into Podman; all of them are the same image."""
    archive, layout = f"docker-archive:{tmp_path}/app.tar", f"oci:{tmp_path}/layout"
    for place in (archive, layout):
        run(at(root), "squash", f"podman:{APP}", BASE, "-o", place)
        run(at(root), "verify", f"podman:{APP}", place)
    run(at(root), "squash", archive, "-o", "podman:from-archive:1")
    run(at(root), "squash", layout, "-o", "containers-storage:from-layout:1", "--last", "1")
    assert len(layers_of(root, "localhost/from-archive:1")) == 1
    for name in ("localhost/from-archive:1", "localhost/from-layout:1"):
        assert export_rootfs(root, name) == export_rootfs(root, APP)


def test_between_docker_and_podman(root: Podman, engine: Engine, tmp_path: Path) -> None:
    """Both ways, with each store of Docker; what the other lacks is sent whole."""
    both = {**at(root), **engine.environment}
    tag = f"to-{engine.name}:1"
    run(both, "squash", f"podman:{APP}", BASE, "-o", f"docker-daemon:{tag}")
    assert without_root(export_rootfs(engine, tag)) == without_root(export_rootfs(root, APP))
    back = f"from-{engine.name}:1"
    run(both, "squash", f"docker-daemon:{tag}", "-o", f"podman:{back}")
    assert export_rootfs(root, f"localhost/{back}") == export_rootfs(root, APP)
    assert len(layers_of(root, f"localhost/{back}")) == 1


def test_a_service_is_started_where_none_runs(root: Podman) -> None:
    """As Podman itself needs none; it works on the same images, and nothing of it is left."""
    command = ("env", "-u", "CONTAINER_HOST", f"TMPDIR={root.work}/own", LAMELLA)
    (root.work / "own").mkdir()
    root.inside(*command, "squash", f"podman:{APP}", BASE, "app:started", "--verify")
    assert layers_of(root, "localhost/app:started")[:-1] == layers_of(root, BASE)
    with pytest.raises(CommandError, match=r"no image 'never:1' in Podman; `"):
        root.inside(*command, "squash", "podman:never:1")
    assert not list((root.work / "own").iterdir())
    assert f"{root.work}/own" not in root.inside("ps", "axww")


# -- a plain user


def test_a_user_squashes_in_storage_of_their_own(user: RootlessPodman) -> None:
    """Over the user's own socket: the same promises as for root."""
    user.inside(LAMELLA, "squash", f"podman:{APP}", BASE, "app:user", "--verify")

    base = layers_of(user, BASE)
    assert layers_of(user, "localhost/app:user")[:-1] == base
    assert user.export_rootfs("localhost/app:user") == user.export_rootfs(APP)
    assert start(user, "localhost/app:user") == start(user, APP) != ""
    listed = user.inside(LAMELLA, "layers", "podman:app:user", "-t").splitlines()
    assert "'localhost/app:user'" in listed[-1]


def test_a_service_is_started_for_a_user(user: RootlessPodman) -> None:
    """Where the user's own does not run; it is gone afterwards, and so is its folder."""
    user.inside("mkdir", "-p", user.work / "home/runtime")
    elsewhere = {"XDG_RUNTIME_DIR": f"{user.work}/home/runtime"}
    squash = (LAMELLA, "squash", f"podman:{APP}", "--last", "3", "-t", "app:last")
    user.inside(*squash, env=elsewhere)
    assert len(layers_of(user, "localhost/app:last")) == len(layers_of(user, APP)) - 2
    assert user.export_rootfs("localhost/app:last") == user.export_rootfs(APP)
    assert not list((user.work / "tmp").glob("lamella-podman-*"))
    assert str(user.work / "tmp") not in user.inside("ps", "axww")


def test_history_without_times(podman: Podman, tmp_path: Path) -> None:
    """Podman takes such images, and fails to tell their history (its code dereferences nil)."""
    tars = layer(("a", b"1")), layer(("b", b"2")), layer(("a", b"3"))
    steps = [{"created_by": f"step {number}"} for number in range(3)]
    name = "localhost/podman-tests/timeless:1"
    path = tmp_path / "timeless.tar"
    path.write_bytes(docker_archive(*tars, tags=(name,), history=steps))
    podman("load", "-i", path)
    listed = run(at(podman), "layers", f"podman:{name}").stdout.splitlines()
    assert [line.lstrip(" └─").split()[0] for line in listed] == ["1", "2", "3"]

    new = tmp_path / "new.tar"
    run(at(podman), "squash", f"podman:{name}", "#1", "-o", f"docker-archive:{new}")
    with lamella.open_image(str(new)) as image:
        history = json.loads(image.config.raw)["history"]
    assert history[0] == {"created_by": "step 0"}
    podman("rmi", name)
