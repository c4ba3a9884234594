"""The page of the container image shows what real commands print."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.docs.console import run_all
from tests.engines.daemon import DOCKER_CLI, Engine
from tests.engines.lamella_image import FOR_DOCKER
from tests.support.demo import put_demo

PAGE = Path(__file__).resolve().parents[2] / "docs/container.md"
SOCKET = "/var/run/docker.sock"


@pytest.mark.engine
def test_console_examples_show_what_the_commands_print(
    docker_classic: Engine,
    lamella_image: Path,
    tmp_path: Path,
) -> None:
    """Where the engine listens, and where the archive is, is all that differs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").symlink_to(DOCKER_CLI)
    put_demo(tmp_path / "demo.tar")
    docker_classic.docker("load", input=(tmp_path / "demo.tar").read_bytes())
    docker_classic.docker("tag", "lamella-demo:latest", "app:latest")
    shutil.copy(lamella_image / FOR_DOCKER, tmp_path)
    path = os.pathsep.join(
        [str(programs), os.fspath(Path(sys.executable).parent), os.environ["PATH"]]
    )
    variables = {**docker_classic.environment, "PATH": path}
    local = page = PAGE.read_text(encoding="utf-8")
    places = {
        f"--input {FOR_DOCKER}": f"--input {tmp_path / FOR_DOCKER}",
        f"-v {SOCKET}:": f"-v {docker_classic.socket}:",
        f"-c %g {SOCKET})": f"-c %g {docker_classic.socket})",
    }
    for shown, here in places.items():
        local = local.replace(shown, here)
    found = run_all(local, variables)
    for shown, here in places.items():
        found = found.replace(here, shown)
    assert found == page
