"""``lamella completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]


@click.command("completion", short_help="print a completion script for bash, zsh or fish")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print a script with which SHELL completes commands, options, images and layers.

    \b
    In ~/.bashrc:  eval "$(lamella completion bash)"
    In ~/.zshrc:   eval "$(lamella completion zsh)"
    For fish:      lamella completion fish > ~/.config/fish/completions/lamella.fish

    Images are completed from archives and layouts in the current directory and from the Docker
    engine, layers from the image if it is local.
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella.cli.group import cli  # noqa: PLC0415 - which knows this command

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    if shell == "bash":
        # To bash a colon ends a word; references have them.
        click.echo("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}")
    click.echo(found(cli, {}, "lamella", "_LAMELLA_COMPLETE").source())
    return 0
