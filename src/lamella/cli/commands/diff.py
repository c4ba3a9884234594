"""``lamella diff``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

import click

from lamella.cli.completion import complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.page import STDOUT, check_writable, write_page
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import html_option, json_option, platform_option
from lamella.cli.terminal import say, say_json, tell
from lamella.errors import UsageError

__all__ = ["command"]

_DIFFERENT = 4
_AT_ONCE = 1000
"""Lines that are printed in one go."""


@click.command("diff", short_help="show what changed from one image to another", cls=HeadedCommand)
@click.argument("a", shell_complete=complete_image)
@click.argument("b", required=False, shell_complete=complete_image)
@click.option("--stat", is_flag=True, help="Show sums for each directory, not each path.")
@click.option(
    "--content", multiple=True, metavar="PATH", help="Show what changed in this file, too."
)
@click.option("--layers", metavar="A-B", help="Show what these layers of image A changed.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="WHAT",
    help="Ignore these differences; see above.",
)
@json_option()
@html_option("Write an HTML page: both trees side by side.")
@platform_option(or_all=True)
@image_session
def command(
    a: str,
    b: str | None,
    stat: bool,
    content: tuple[str, ...],
    layers: str | None,
    ignore: tuple[str, ...],
    as_json: bool,
    html: str | None,
    platform: str | None,
    session: Session,
) -> int:
    """Show what changed from image A to image B: files that were added (A), removed (D) or changed
    (C), and fields of the config.

    It compares what `lamella verify` compares. Layers that both images begin with are read once.
    Exit code 0: nothing changed. Exit code 4: something did.

    WHAT is mode, owner, mtime, xattr, config, or a field such as config.Env.PATH. --content shows
    a unified diff of a text file of at most 512 KiB; it can be given several times.

    \b
      lamella diff app:1 app:2
      lamella diff app:1 app:2 --ignore mtime --content /etc/passwd
      lamella diff app:2 --layers 3-5
    """  # noqa: D205, D301 - one sentence; the mark is click's: lines stay as they are
    from lamella.operations import calls  # noqa: PLC0415 - completion needs the options alone
    from lamella.report import diff as report  # noqa: PLC0415 - as above

    if stat and as_json:
        raise UsageError("--stat and --json don't go together: the document has all sizes")
    if html == STDOUT and (stat or as_json):
        option = "--stat" if stat else "--json"
        raise UsageError(f"{option} and --html - both write to standard output; give --html a file")
    if html is not None and html != STDOUT:
        check_writable(html)
    with session.open() as env:
        found = calls.diff(
            a,
            b,
            layers=layers or (),
            platform=platform,
            ignore=ignore,
            contents=[os.fsencode(path) for path in content],
            env=env,
        )
    if html is not None:
        from lamella.report.diff_page import page  # noqa: PLC0415 - for Jinja2

        sides = (a, b) if b else (f"{a} below layers {layers}", f"{a} with layers {layers}")
        write_page(html, page(found, sides))
    if as_json:
        say_json(report.to_json(found))
    elif html != STDOUT:
        _say_all(report.stat_lines(found) if stat else report.diff_lines(found))
    if not session.quiet:
        images = f"{a} → {b}" if b else f"{a}, layers {layers}"
        tell(f"{images}: {report.verdict(found)}")
    return 0 if found.equal else _DIFFERENT


def _say_all(lines: Iterator[str]) -> None:
    while some := list(islice(lines, _AT_ONCE)):
        say(*some)
