"""Where the docker command looks for plugins, what is there, and what it says of it itself."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lamella.cli.plugin.script import Script, parse_script
from lamella.errors import UsageError

__all__ = ["Docker", "ask_docker", "read_plugin", "system_path", "user_path"]

_NAME = "docker-squash"
_SYSTEM = "/usr/local/lib/docker/cli-plugins"
_LONGEST = 1 << 20
_SECONDS = 30
# No engine is wanted: this one fails at once.
_ASK = ("--host", "unix:///dev/null", "info", "--format", "{{json .ClientInfo.Plugins}}")


def user_path(variables: Mapping[str, str]) -> Path:
    """Return where a user's own plugin is.

    Raises:
        UsageError: there is neither DOCKER_CONFIG nor HOME.
    """
    folder, home = variables.get("DOCKER_CONFIG"), variables.get("HOME")
    if not folder and not home:
        raise UsageError("neither DOCKER_CONFIG nor HOME is set; set one, or use --system")
    return Path(folder or f"{home}/.docker") / "cli-plugins" / _NAME


def system_path() -> Path:
    """Return where the plugin of all users is."""
    return Path(_SYSTEM) / _NAME


def read_plugin(path: Path) -> Script | None:
    """Read a plugin that lamella wrote; None: the file there is not lamella's.

    Raises:
        OSError: it can't be read, or nothing is there.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        return None
    with path.open("rb") as file:
        return parse_script(file.read(_LONGEST))


@dataclass(frozen=True)
class Docker:
    """What the docker command says of the plugin."""

    command: str
    """Its path; empty: there is none."""
    path: str = ""
    """The plugin that it runs; empty: it finds none."""
    trouble: str = ""
    """Why it does not run that."""


def ask_docker() -> Docker:
    """Ask the docker command which `docker squash` it knows. No engine is asked."""
    command = shutil.which("docker")
    if command is None:
        return Docker("")
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - the docker command, without a shell
            [command, *_ASK], capture_output=True, check=False, timeout=_SECONDS
        )
        for plugin in json.loads(done.stdout.decode()) or ():
            if plugin.get("Name") == "squash":
                return Docker(command, os.fspath(plugin["Path"]), str(plugin.get("Err") or ""))
    return Docker(command)
