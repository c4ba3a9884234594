"""The commands, by name; they are imported when they are called: ``--version`` is quick."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click

from lamella import __version__
from lamella.cli.base_group import CommandGroup

__all__ = ["cli", "run"]

_COMMANDS = {
    "analyze": "show where an image's bytes go",
    "batch": "squash many images: a registry, a folder, a list",
    "cache": "show or clear the cache of layer headers",
    "cat": "write files of an image to standard output",
    "completion": "print a completion script for bash, zsh or fish",
    "demo": "squash a sample image and verify it; needs no engine",
    "delta": "write an image as another one's layers and one more",
    "diff": "show what changed from one image to another",
    "explore": "browse the layers and files of an image on the terminal",
    "export": "write all files of an image as one tar",
    "help": "show the help of a command, or a document",
    "layers": "list the layers of an image",
    "ls": "list the files of an image or of one layer",
    "plan": "plan which layers of many images to squash",
    "plugin": "install lamella as `docker squash`",
    "rebase": "put an image's own layers over another base",
    "squash": "squash layers of an image into one",
    "verify": "check whether two images have the same files and config",
}
_COMPLETE = "_LAMELLA_COMPLETE"
_PLUGIN = "docker-cli-plugin"
_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _LazyGroup(CommandGroup):
    """Knows its commands by name; imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"lamella.cli.commands.{cmd_name}")
        command = module.command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings=_SETTINGS,
    epilog="""\b
Exit codes: 0 success; 1 the image is malformed or can't be squashed as
requested, or the result can't be written; 2 wrong usage; 3 nothing to squash
(with --exit-code); 4 there are differences; 5 an engine or registry failed;
6 the image violates a rule; 7 no such image; 130 interrupted.

`lamella COMMAND --help` shows the options of a command, `lamella demo` runs an
example, `lamella help` lists the documentation.""",
)
@click.version_option(__version__, message="lamella %(version)s")
def cli() -> None:
    """Squash layers of container images, and leave every other layer as it is.

    \b
    An image reference has a transport, as in skopeo and podman:
      NAME or docker-daemon:NAME   in a Docker engine (DOCKER_HOST)
      podman:NAME                  in Podman (also containers-storage:NAME)
      docker://HOST/REPO[:TAG]     in a registry
      docker-archive:FILE[:TAG]    what `docker save` and `podman save` write
      oci:DIR[:TAG]                an OCI image layout
      oci-archive:FILE[:TAG]       an OCI image layout in a tar
      FILE or DIR                  any of the above; the format is detected
      -                            an archive on standard input or output
    """  # noqa: D301 - the mark is click's: lines stay as they are


def run(arguments: list[str]) -> int:
    """Call the command. Click's own `main` would print a blank line when it is interrupted."""
    if _COMPLETE in os.environ:
        from lamella.cli.shells import use_ours  # noqa: PLC0415 - nothing else needs it

        use_ours()
        cli.main(args=arguments, prog_name="lamella", complete_var=_COMPLETE)
    if arguments[:1] == [_PLUGIN]:
        from lamella.cli.plugin.run import run_plugin  # noqa: PLC0415 - only for `docker squash`

        return run_plugin(arguments[1:], _SETTINGS)
    try:
        with cli.make_context("lamella", list(arguments)) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return code if isinstance(code, int) else 0
