"""What there is to say of the plugin, as lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lamella.cli.plugin.install import this_lamella
from lamella.cli.plugin.places import Docker, read_plugin
from lamella.cli.plugin.script import Script

__all__ = ["docker_line", "status_lines"]

_INSTALL = "`lamella plugin install`"


def status_lines(paths: Sequence[Path], docker: Docker) -> Iterator[str]:
    """Yield where the plugin is, what it starts, and whether docker runs it.

    Args:
        paths: where it may be.
        docker: what the docker command said.
    """
    there = [path for path in paths if os.path.lexists(path)]
    for path in there:
        yield f"file    {path}"
        yield f"starts  {_started_by(path)}"
    if not there:
        yield f"file    none; {_INSTALL} writes {paths[0]}"
    yield f"docker  {docker_line(docker, there)}"


def _started_by(path: Path) -> str:
    try:
        found = read_plugin(path)
    except OSError as error:
        return f"can't be read: {error.strerror or error}"
    if found is None:
        return "not lamella: another program's file"
    ours = this_lamella()
    if not os.access(found.python, os.X_OK):
        return f"nothing: {found.python} is gone; {_INSTALL} replaces it"
    return f"{found.python} -m lamella: {_which(found, ours)}"


def _which(found: Script, ours: Script) -> str:
    if found.python != ours.python:
        return f"another lamella than this, {found.version}"
    if found.version != ours.version:
        return f"this lamella, shown as {found.version} by docker; {_INSTALL} updates that"
    return f"this lamella, {ours.version}"


def docker_line(docker: Docker, ours: Sequence[Path]) -> str:
    """Say whether docker runs a plugin, and which.

    Args:
        docker: what the docker command said.
        ours: where plugins are.
    """
    if not docker.command:
        return "there is no docker command on PATH"
    if docker.trouble:
        return f"{docker.command} can't use {docker.path}: {docker.trouble}"
    if not docker.path:
        return f"{docker.command} has no command `docker squash`"
    if not any(_same(docker.path, path) for path in ours):
        return f"{docker.command} runs another file as `docker squash`: {docker.path}"
    return f"{docker.command} runs {docker.path} as `docker squash`"


def _same(one: str, other: Path) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
