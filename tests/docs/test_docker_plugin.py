"""The page of `docker squash` shows what real commands print."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.docs.console import run_all
from tests.engines.daemon import DOCKER_CLI, Engine
from tests.support.demo import put_demo

PAGE = Path(__file__).resolve().parents[2] / "docs/docker-plugin.md"


@pytest.mark.engine
def test_console_examples_show_what_the_commands_print(
    docker_classic: Engine, tmp_path: Path
) -> None:
    """In the home folder of somebody whose engine has an image. The difference is the new text."""
    home, programs = tmp_path / "you", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    (programs / "docker").symlink_to(DOCKER_CLI)
    put_demo(tmp_path / "demo.tar")
    docker_classic.docker("load", input=(tmp_path / "demo.tar").read_bytes())
    docker_classic.docker("tag", "lamella-demo:latest", "app:latest")
    tools = os.fspath(Path(sys.executable).parent)
    variables = {
        "HOME": os.fspath(home),
        "PATH": f"{programs}:{tools}:{os.environ['PATH']}",
        "DOCKER_HOST": docker_classic.host,
        "DOCKER_CONFIG": "",
    }
    page = run_all(PAGE.read_text(encoding="utf-8"), variables)
    for found, shown in (
        (home, "/home/you"),
        (programs, "/usr/bin"),
        (sys.executable, "/home/you/.local/share/pipx/venvs/lamella/bin/python"),
    ):
        page = page.replace(os.fspath(found), shown)
    assert page == PAGE.read_text(encoding="utf-8")
