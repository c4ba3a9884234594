"""``lamella plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lamella.cli.completion import complete_file, complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.image_lists import read_lists, read_pulls
from lamella.cli.page import STDOUT, check_writable, write_page, write_whole
from lamella.cli.paint import make_painter, screen_width
from lamella.cli.rule_values import bytes_option
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import html_option, json_option, list_option, platform_option
from lamella.cli.terminal import flush, say, say_json, tell
from lamella.errors import UsageError, common_exit_code

if TYPE_CHECKING:
    from lamella.fleet.best import FleetPlan
    from lamella.fleet.work import Listed

__all__ = ["command"]


@click.command(
    "plan",
    short_help="plan which layers of many images to squash",
    cls=HeadedCommand,
    headings={"Output": ("as_json", "html", "output")},
)
@click.argument("images", nargs=-1, metavar="[IMAGE]...", shell_complete=complete_image)
@list_option("Read images from FILE (- is standard input).")
@click.option(
    "--max-layers",
    type=int,
    metavar="N",
    help="Plan for at most N layers per image.",
)
@click.option(
    "--min-saved",
    callback=bytes_option,
    metavar="SIZE",
    help="Each new layer must save at least SIZE.",
)
@click.option(
    "--keep",
    multiple=True,
    shell_complete=complete_image,
    metavar="BASE",
    help="Keep the layers of this base image.",
)
@click.option(
    "--pulls",
    shell_complete=complete_file,
    metavar="FILE",
    help="Weigh images by pulls: NUMBER IMAGE.",
)
@json_option()
@html_option("Write an HTML page with the tree of layers.")
@click.option(
    "-o",
    "--output",
    shell_complete=complete_file,
    metavar="FILE",
    help="Write the plan to FILE (`lamella help plans`).",
)
@platform_option()
@image_session
def command(
    images: tuple[str, ...],
    list_file: str | None,
    max_layers: int | None,
    min_saved: int | None,
    keep: tuple[str, ...],
    pulls: str | None,
    as_json: bool,
    html: str | None,
    output: str | None,
    platform: str | None,
    session: Session,
) -> int:
    """Plan which layers of many images to squash so that all of them need the least storage.

    Squashing a layer that images share can cost more than it saves. The plan considers all images
    together: it lists the ranges to squash in each, and the bytes stored before and after. It
    writes no image; `lamella batch --plan` carries it out. IMAGE may be a pattern, as for
    `lamella batch`. BASE is an image or a chain ID; --keep can be repeated.

    \b
      lamella plan app:1 app:2 worker:1
      lamella plan 'docker://reg.example/team/*:v*' --keep docker://reg.example/base:12
      lamella plan --list images.txt --min-saved 1MB -o plan.json --html plan.html
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella.fleet import calls  # noqa: PLC0415 - completion needs the options alone
    from lamella.fleet.plan_file import format_plan  # noqa: PLC0415 - as above
    from lamella.report.fleet_plan import unread_lines  # noqa: PLC0415 - as above

    if as_json and html == STDOUT:
        raise UsageError("--json and --html - both write to standard output; give --html a file")
    wanted: list[str | Listed] = [*images, *read_lists(list_file)]
    if not wanted:
        raise UsageError("no images: name some, or give a list by --list FILE")
    weights = read_pulls(pulls) if pulls is not None else None
    for path in (output, html):
        if path not in {None, STDOUT}:
            check_writable(str(path))
    with session.open() as env:
        plan = calls.plan(
            wanted,
            max_layers=max_layers,
            keep=keep,
            pulls=weights,
            min_saved=min_saved or 0,
            platform=platform,
            env=env,
        )
    if output is not None:
        write_whole(output, format_plan(plan))
    _print(plan, as_json=as_json, html=html)
    flush()
    tell(*unread_lines(plan))
    return common_exit_code(one.exit_code for one in plan.unread)


def _print(plan: FleetPlan, *, as_json: bool, html: str | None) -> None:
    from lamella.report import fleet_plan as report  # noqa: PLC0415 - as above

    if html is not None:
        from lamella.report.fleet_page import page  # noqa: PLC0415 - for Jinja2

        write_page(html, page(plan))
    if as_json:
        say_json(report.to_json(plan))
    elif html != STDOUT:
        say(*report.screen(plan, make_painter(), screen_width(report.WIDTH)))
