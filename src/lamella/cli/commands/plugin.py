"""``lamella plugin``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lamella.cli.base_group import CommandGroup
from lamella.cli.terminal import say, tell

__all__ = ["command"]

_SYSTEM = click.option(
    "--system",
    is_flag=True,
    help="For all users of this machine, in /usr/local/lib/docker/cli-plugins.",
)


@click.group("plugin", cls=CommandGroup, short_help="install lamella as `docker squash`")
def command() -> None:
    """Install lamella as `docker squash`, a plugin of the docker command.

    \b
      lamella plugin install
      docker squash app:latest debian:12 app:slim

    The plugin is one small file, docker-squash, in the directory cli-plugins of docker's settings
    (DOCKER_CONFIG, else ~/.docker). Nothing else is changed.
    """  # noqa: D301 - the mark is click's: lines stay as they are


@command.command("install")
@_SYSTEM
@click.option("--force", is_flag=True, help="Replace a docker-squash that lamella did not write.")
def install(system: bool, force: bool) -> int:
    """Write the plugin. An earlier one of lamella is replaced."""
    from lamella.cli.plugin.install import install_plugin  # noqa: PLC0415 - completion needs the options alone
    from lamella.cli.plugin.places import ask_docker  # noqa: PLC0415 - as above
    from lamella.cli.plugin.status import docker_line  # noqa: PLC0415 - as above

    path = _path(system=system)
    install_plugin(path, force=force)
    say(str(path))
    tell(docker_line(ask_docker(), [path]))
    return 0


@command.command("remove")
@_SYSTEM
def remove(system: bool) -> int:
    """Remove the plugin. A file that lamella did not write is kept."""
    from lamella.cli.plugin.install import remove_plugin  # noqa: PLC0415 - as above

    path = _path(system=system)
    tell(f"removed {path}" if remove_plugin(path) else f"there is no {path}")
    return 0


@command.command("status")
def status() -> int:
    """Show what `docker squash` runs. It is the plugin, if docker finds it."""
    from lamella.cli.plugin.places import ask_docker, system_path, user_path  # noqa: PLC0415 - as above
    from lamella.cli.plugin.status import status_lines  # noqa: PLC0415 - as above

    say(*status_lines([user_path(os.environ), system_path()], ask_docker()))
    return 0


def _path(*, system: bool) -> Path:
    from lamella.cli.plugin.places import system_path, user_path  # noqa: PLC0415 - as above

    return system_path() if system else user_path(os.environ)
