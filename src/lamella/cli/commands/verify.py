"""``lamella verify``."""

from __future__ import annotations

import click

from lamella.cli.completion import complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import json_option, platform_option
from lamella.cli.terminal import say, say_json, tell
from lamella.report.text import count_of, printable

__all__ = ["command"]

_DIFFERENT = 4
_SHOWN = 20


@click.command(
    "verify",
    short_help="check whether two images have the same files and config",
    cls=HeadedCommand,
)
@click.argument("a", shell_complete=complete_image)
@click.argument("b", shell_complete=complete_image)
@json_option()
@platform_option(or_all=True)
@image_session
def command(
    a: str,
    b: str,
    as_json: bool,
    platform: str | None,
    session: Session,
) -> int:
    """Check whether images A and B have the same file system and the same config.

    It compares paths, types, modes, owners, times to the nanosecond, content, link targets, hard
    links, extended attributes and devices, and the config except layers, history and time. Exit
    code 0: they are the same. Exit code 4: they differ; standard output lists the differences.

    \b
      lamella verify app:latest app:slim
      lamella verify docker-archive:app.tar oci:slim
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella import api  # noqa: PLC0415 - completion needs the options alone
    from lamella.report.differences import without_secrets  # noqa: PLC0415 - as above

    with session.open() as env:
        differences = api.verify(a, b, platform=platform, env=env)
    found = [printable(str(without_secrets(difference))) for difference in differences]
    if as_json:
        say_json({"version": 1, "equal": not found, "differences": found})
    else:
        say(*found[:_SHOWN])
        if len(found) > _SHOWN:
            say(f"… {len(found) - _SHOWN} more (--json shows all)")
    if not session.quiet:
        verdict = count_of(len(found), "difference") if found else "the same"
        tell(f"{a} and {b}: {verdict}")
    return _DIFFERENT if found else 0
