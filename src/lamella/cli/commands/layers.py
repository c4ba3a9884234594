"""``lamella layers``."""

from __future__ import annotations

import shutil

import click

from lamella.cli.completion import complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.paint import make_painter, on_terminal
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import json_option, platform_option
from lamella.cli.terminal import say, say_json
from lamella.errors import UsageError

__all__ = ["command"]


@click.command("layers", short_help="list the layers of an image", cls=HeadedCommand)
@click.argument("image", shell_complete=complete_image)
@click.option("-t", "--tags", is_flag=True, help="Show full IDs and the local tags.")
@click.option("-c", "--commands", is_flag=True, help="Show full IDs and the commands.")
@click.option("-m", "--machine", is_flag=True, help="One line per layer: ID, or ID|command.")
@click.option("-d", "--dockerfile", is_flag=True, help="Print a Dockerfile made from the history.")
@click.option(
    "--dead",
    is_flag=True,
    help="Print a table with the dead share of each.",
)
@json_option()
@platform_option()
@image_session
def command(
    image: str,
    tags: bool,
    commands: bool,
    machine: bool,
    dockerfile: bool,
    dead: bool,
    as_json: bool,
    platform: str | None,
    session: Session,
) -> int:
    """List the layers of IMAGE, base first: number, ID, size, tags, command.

    Use the number, or a prefix of the ID, as LAYER in other commands. The ID is that of the image
    that ends with this layer, if the engine knows one, otherwise the chain ID. With -t or -c the
    list has full IDs and no numbers. On a terminal --dead is the default if layers can be read in
    place.

    \b
      lamella layers app:latest
      lamella layers -t -c docker-archive:app.tar
      docker save app | lamella layers - --json
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella import api  # noqa: PLC0415 - completion needs the options alone
    from lamella.report import layers as report  # noqa: PLC0415 - as above

    if machine + dockerfile + as_json > 1:
        raise UsageError("-m, -d and --json exclude each other; give one")
    if dockerfile and (tags or commands):
        given = "-t" if tags else "-c"
        raise UsageError(f"{given} and -d exclude each other: a Dockerfile has no IDs and tags")
    if machine and tags:
        raise UsageError("-t and -m exclude each other: the lines of -m have no tags")
    form = tags or commands or machine or dockerfile or as_json
    if dead and form:
        raise UsageError("--dead can't be combined with -t, -c, -m, -d and --json")
    seen = None if on_terminal() and not form else False
    with (
        session.open() as env,
        api.open_layers(image, platform=platform, tags=tags, dead=dead or seen, env=env) as (
            opened,
            lines,
        ),
    ):
        if as_json:
            say_json(report.to_json(opened, lines))
            return 0
        if dockerfile:
            out = report.dockerfile(opened)
        elif machine:
            out = report.machine(lines, commands=commands)
        elif tags or commands:
            out = report.tree(lines, tags=tags, commands=commands)
        elif lines and lines[0].dead is not None:
            width = shutil.get_terminal_size().columns if on_terminal() else None
            out = report.table(lines, width, make_painter())
        else:
            out = report.tree_numbered(lines)
    say(*out)
    return 0
