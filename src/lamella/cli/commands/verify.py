"""``lamella verify``."""

from __future__ import annotations

from typing import Any

import click

from lamella.cli.completion import complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import (
    clamp_option,
    exclude_options,
    json_option,
    platform_option,
)
from lamella.cli.terminal import say, say_json, tell
from lamella.report.text import count_of, printable

__all__ = ["command"]

_DIFFERENT = 4
_SHOWN = 20


@click.command(
    "verify",
    short_help="check whether two images have the same files and config",
    cls=HeadedCommand,
    headings={"What may differ": ("ignore", "exclude", "exclude_from", "clamp_mtime")},
)
@click.argument("a", shell_complete=complete_image)
@click.argument("b", shell_complete=complete_image)
@json_option()
@platform_option(or_all=True)
@click.option(
    "--ignore",
    multiple=True,
    metavar="WHAT",
    help="Ignore these differences; see above.",
)
@exclude_options(
    "Expect B without these paths.",
    "Expect B without what FILE lists.",
)
@clamp_option("Expect this limit of times in B's new layers.")
@image_session
def command(
    a: str,
    b: str,
    as_json: bool,
    ignore: tuple[str, ...],
    session: Session,
    **choices: Any,  # noqa: ANN401 - click's, of the types that the options say
) -> int:
    """Check whether images A and B have the same file system and the same config.

    It compares paths, types, modes, owners, times to the nanosecond, content, link targets, hard
    links, extended attributes and devices, and the config except layers, history and time. Exit
    code 0: they are the same. Exit code 4: they differ; standard output lists the differences.

    WHAT is mode, owner, mtime, xattr, config, or a field such as config.Env.PATH. --exclude and
    --clamp-mtime say what `lamella squash` was to change; more or less than that is a difference.

    \b
      lamella verify app:latest app:slim
      lamella verify docker-archive:app.tar oci:slim
    After `lamella squash app:latest -t app:slim --exclude var/cache`:
      lamella verify app:latest app:slim --exclude var/cache
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella import api  # noqa: PLC0415 - completion needs the options alone
    from lamella.operations.ignoring import Ignoring  # noqa: PLC0415 - as above
    from lamella.report.differences import difference_details, without_secrets  # noqa: PLC0415 - as above

    ignoring = Ignoring.parse(ignore)
    with session.open() as env:
        # What is ignored is counted here, so it is asked for.
        differences, ignored = ignoring.split(api.verify(a, b, env=env, **choices))
    shown = list(map(without_secrets, differences))
    found = [printable(str(difference)) for difference in shown]
    if as_json:
        details = list(map(difference_details, shown))
        document = {"equal": not found, "differences": found, "details": details}
        say_json({"version": 1, **document, "ignored": ignored})
    else:
        say(*found[:_SHOWN])
        if len(found) > _SHOWN:
            say(f"… {len(found) - _SHOWN} more (--json shows all)")
    if not session.quiet:
        tell(f"{a} and {b}: {_verdict(len(found), sum(ignored.values()))}")
    return _DIFFERENT if found else 0


def _verdict(found: int, ignored: int) -> str:
    verdict = count_of(found, "difference") if found else "the same"
    return f"{verdict}, {ignored} ignored" if ignored else verdict
