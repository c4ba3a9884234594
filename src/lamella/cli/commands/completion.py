"""``lamella completion``."""

from __future__ import annotations

import click

from lamella.cli.shells import SHELLS

__all__ = ["command"]


@click.command("completion", short_help="print a completion script for bash, zsh or fish")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print a script that completes commands, options, images, layers and files in a shell.

    \b
    In ~/.bashrc:  eval "$(lamella completion bash)"
    In ~/.zshrc:   eval "$(lamella completion zsh)"
    For fish:      lamella completion fish > ~/.config/fish/completions/lamella.fish

    It offers archives, layouts and images of the Docker engine, and the layers of an image that is
    local.
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella.cli.group import cli  # noqa: PLC0415 - which knows this command

    click.echo(SHELLS[shell](cli, {}, "lamella", "_LAMELLA_COMPLETE").source().strip())
    return 0
