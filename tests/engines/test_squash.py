"""A real image in a real engine: squashed down to its base, it is still the same image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.daemon import Engine
from tests.engines.images import named
from tests.engines.rootfs import export_rootfs
from tests.engines.tools import Podman, Tool
from tests.support.warm import warm_command

pytestmark = pytest.mark.engine

LAMELLA = "lamella"
ROOT = Path(__file__).resolve().parents[2]


def run(
    engine: Engine, *command: str | Path, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would who has set DOCKER_HOST."""
    path = f"{warm_command().parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "DOCKER_HOST": engine.host, "NO_COLOR": "1", "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def layers_of(engine: Engine, image: str) -> list[str]:
    """The diff_ids that the engine tells."""
    return list(json.loads(engine.docker("image", "inspect", image))[0]["RootFS"]["Layers"])


def history_of(engine: Engine, image: str) -> list[str]:
    """What made each step, oldest first."""
    text = engine.docker("history", "--no-trunc", "--format", "{{json .CreatedBy}}", image)
    return [str(json.loads(line)) for line in text.splitlines()][::-1]


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Iterator[tuple[str, str, str]]:
    """Name a base and an app in the test's engine, and the squashed image to be.

    No other test has these names, so that what it does to the images is its own.
    """
    each = "engine" if "engine" in request.fixturenames else "docker_classic"
    engine: Engine = request.getfixturevalue(each)
    own = "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-")
    base, app, squashed = f"{own}/base:1", f"{own}/app:1", f"{own}/app:squashed"
    with named(engine, base, app):
        yield base, app, squashed
    left = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{own}/app").split()
    if left:  # the same image may be the result of another test, which looks at its names
        engine.docker("rmi", *left)


def test_squashed_to_its_base_an_image_stays_the_same(
    engine: Engine, names: tuple[str, str, str]
) -> None:
    """The main promise, in the engine: same root file system, base shared, history and run work."""
    base, app, squashed = names
    before = layers_of(engine, app)

    done = run(engine, LAMELLA, "squash", app, base, squashed, "--verify")

    image_id = done.stdout.strip()
    assert image_id == json.loads(engine.docker("image", "inspect", squashed))[0]["Id"]
    after = layers_of(engine, squashed)
    base_layers = layers_of(engine, base)
    assert after[:-1] == base_layers
    assert len(after) == len(base_layers) + 1 < len(before)
    assert export_rootfs(engine, squashed) == export_rootfs(engine, app)
    base_history = history_of(engine, base)
    squashed_history = history_of(engine, squashed)
    assert squashed_history[:-1] == base_history
    assert len(squashed_history) == len(base_history) + 1
    assert (
        engine.docker("run", "--rm", "--network=none", squashed, "echo", "alive").strip() == "alive"
    )
    config = (
        "{{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Labels}} {{json .Config.User}}"
    )
    assert engine.docker("inspect", "-f", config, squashed) == engine.docker(
        "inspect", "-f", config, app
    )


def test_squashing_again_to_the_same_base_finds_nothing_to_do(
    engine: Engine, names: tuple[str, str, str]
) -> None:
    """A second squash of the result down to the same base works, and changes nothing."""
    base, app, squashed = names
    first = run(engine, LAMELLA, "squash", app, base, squashed)

    again = run(
        engine,
        LAMELLA,
        "squash",
        squashed,
        base,
        f"{squashed}-again",
        "--exit-code",
        check=False,
    )

    assert again.returncode == 3
    assert f"nothing to squash: only layer 2 is above {base}" in again.stderr
    assert layers_of(engine, f"{squashed}-again") == layers_of(engine, squashed)
    assert again.stdout.strip() == first.stdout.strip()


def test_whole_image_becomes_one_layer(engine: Engine, names: tuple[str, str, str]) -> None:
    """Without a base all is squashed; nothing deleted is left in what is saved."""
    _base, app, squashed = names

    run(engine, LAMELLA, "squash", app, "-t", squashed)

    assert len(layers_of(engine, squashed)) == 1
    assert export_rootfs(engine, squashed) == export_rootfs(engine, app)


def test_another_reader_sees_the_same_files(
    docker_classic: Engine, podman: Podman, names: tuple[str, str, str], tmp_path: Path
) -> None:
    """Podman unpacks what lamella writes to the same root file system as Docker."""
    _base, app, squashed = names
    saved, out = tmp_path / "app.tar", tmp_path / "squashed.tar"
    docker_classic.docker("save", "-o", saved, app)

    run(
        docker_classic,
        LAMELLA,
        "squash",
        saved,
        "--last",
        "5",
        "-o",
        f"docker-archive:{out}",
        "-t",
        squashed,
    )
    podman("load", "-i", str(out))

    ours = export_rootfs(docker_classic, app)
    theirs = export_rootfs(podman, f"localhost/{squashed}")
    ours.pop("/", None)  # no layer has an entry for the root: each engine makes its own
    theirs.pop("/", None)
    assert theirs == ours


def test_the_original_scripts_still_work(
    docker_classic: Engine, names: tuple[str, str, str], tmp_path: Path
) -> None:
    """`squash.py IMAGE LAYER TAG` and `layers.py` do what they did in 2015, in their words."""
    base, app, squashed = names
    scratch = tmp_path / "scratch"

    done = run(
        docker_classic, sys.executable, ROOT / "squash.py", "-t", scratch, app, base, squashed
    )

    assert f"root INFO Old image has {len(layers_of(docker_classic, app))} layers" in done.stderr
    assert "root INFO New layer ID " in done.stderr
    assert not scratch.exists()
    assert layers_of(docker_classic, squashed)[:-1] == layers_of(docker_classic, base)
    listed = run(docker_classic, sys.executable, ROOT / "layers.py", "-t", squashed).stdout
    lines = listed.splitlines()
    assert len(lines) == len(layers_of(docker_classic, squashed))
    assert repr(base) in lines[0]
    assert lines[-1].startswith(" " * (len(lines) - 2) + " └─ ")
    assert repr(squashed) in lines[-1]
    machine = run(docker_classic, sys.executable, ROOT / "layers.py", "-m", squashed).stdout
    top = json.loads(docker_classic.docker("image", "inspect", squashed))[0]["Id"]
    assert machine.splitlines()[-1] == top.removeprefix("sha256:")


def test_scripts_refuse_a_temporary_folder_that_exists(
    docker_classic: Engine, tmp_path: Path
) -> None:
    """`-t` makes the folder and removes it: one that is there already is not touched."""
    (tmp_path / "mine").write_text("precious")

    done = run(
        docker_classic,
        sys.executable,
        ROOT / "squash.py",
        "-t",
        tmp_path,
        "a",
        "b",
        "c",
        check=False,
    )

    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "mine").read_text() == "precious"


def test_layer_ids_that_the_engine_shows_name_layers(
    docker_classic: Engine, names: tuple[str, str, str]
) -> None:
    """What `layers.py` prints is accepted as LAYER, whole or by a prefix."""
    _base, app, squashed = names
    printed = run(docker_classic, sys.executable, ROOT / "layers.py", "-m", app).stdout.splitlines()

    for name in (printed[1], printed[1][:12], "#2"):
        run(docker_classic, LAMELLA, "squash", app, name, squashed)
        assert layers_of(docker_classic, squashed)[:2] == layers_of(docker_classic, app)[:2]
        assert len(layers_of(docker_classic, squashed)) == 3


def test_a_base_that_is_none_is_explained(
    docker_classic: Engine, names: tuple[str, str, str]
) -> None:
    """An image that is not built on the base says how many layers they share, and what would do."""
    base, app, squashed = names
    run(docker_classic, LAMELLA, "squash", app, base, squashed)

    done = run(docker_classic, LAMELLA, "squash", app, squashed, f"{squashed}-2", check=False)

    assert done.returncode == 2
    assert "share 1 of its 2 layers; try --from 1" in done.stderr


def test_from_an_engine_to_files_and_back(
    engine: Engine, names: tuple[str, str, str], tmp_path: Path
) -> None:
    """What is read from an engine can go to a file, and from there into an engine again."""
    base, app, squashed = names
    archive, layout = tmp_path / "app.tar", tmp_path / "layout"

    run(engine, LAMELLA, "squash", app, base, "-o", f"docker-archive:{archive}")
    run(engine, LAMELLA, "squash", app, base, "-o", f"oci:{layout}")
    run(engine, LAMELLA, "squash", app, "--layers", "2-4", "-t", squashed)
    run(engine, LAMELLA, "squash", archive, "-o", f"docker-daemon:{squashed}-loaded")

    run(engine, LAMELLA, "verify", app, archive)
    run(engine, LAMELLA, "verify", archive, f"oci:{layout}")
    run(engine, LAMELLA, "verify", app, squashed)
    run(engine, LAMELLA, "verify", app, f"{squashed}-loaded")
    assert len(layers_of(engine, squashed)) == len(layers_of(engine, app)) - 2


def test_what_is_written_loads_everywhere(
    engine: Engine,
    podman: Podman,
    skopeo: Tool,
    names: tuple[str, str, str],
    tmp_path: Path,
) -> None:
    """Docker before and since 25, with either store, Podman and skopeo take the archive."""
    base, app, squashed = names
    archive = tmp_path / "app.tar"
    run(
        engine,
        LAMELLA,
        "squash",
        app,
        base,
        "-o",
        f"docker-archive:{archive}",
        "-t",
        squashed,
    )

    loaded = engine.docker("load", "-i", archive)
    podman("load", "-i", str(archive))

    assert squashed in loaded
    assert export_rootfs(engine, squashed) == export_rootfs(engine, app)
    inspected = json.loads(skopeo("inspect", f"docker-archive:{archive}"))
    assert len(inspected["Layers"]) == len(layers_of(engine, squashed))
    found = json.loads(podman("image", "inspect", f"localhost/{squashed}"))[0]["RootFS"]["Layers"]
    assert found == layers_of(engine, squashed)
