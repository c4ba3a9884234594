"""``lamella rebase``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lamella.cli.completion import complete_image, complete_output
from lamella.cli.headings import HeadedCommand
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import json_option, platform_option, tag_option
from lamella.cli.terminal import flush, say, say_json, tell
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.operations.rebase_result import Rebase

__all__ = ["command"]

_CONFLICTS = 4


@click.command(
    "rebase",
    short_help="put an image's own layers over another base",
    cls=HeadedCommand,
    headings={
        "Output": ("tags", "output", "created", "as_json"),
        "Report": ("check", "no_files"),
    },
)
@click.argument("image", shell_complete=complete_image)
@click.argument("oldbase", shell_complete=complete_image)
@click.argument("newbase", shell_complete=complete_image)
@tag_option()
@click.option(
    "-o",
    "--output",
    shell_complete=complete_output,
    metavar="DEST",
    help="Destination, as of `lamella squash` (default: where IMAGE is).",
)
@click.option(
    "--created",
    metavar="source|now|TIME",
    help="Creation time, as of `lamella squash`.",
)
@click.option("--check", is_flag=True, help="Only report; exit 4 for more than notes.")
@click.option("--no-files", is_flag=True, help="Report on the config alone; read no layer.")
@platform_option()
@json_option()
@image_session
def command(
    image: str,
    oldbase: str,
    newbase: str,
    tags: tuple[str, ...],
    output: str | None,
    check: bool,
    no_files: bool,
    as_json: bool,
    session: Session,
    **choices: Any,  # noqa: ANN401 - click's, of the types that the options say
) -> int:
    """Put the layers of IMAGE above OLDBASE over NEWBASE. They keep their bytes and digests.

    OLDBASE is the image that IMAGE is built on, or auto. What the config of IMAGE sets itself
    stays; what it inherited from OLDBASE becomes NEWBASE's. In a registry no layer is sent.

    A report tells what the layers hide, delete or inherit differently over NEWBASE: errors (an
    engine can't unpack the image; nothing is written), warnings, notes.

    \b
      lamella rebase app:1 debian:12.5 debian:12.6 --check
      lamella rebase app:1 debian:12.5 debian:12.6 -t app:1-rebased
      lamella rebase docker://reg.example/app:1 auto docker://reg.example/base:2 -t app:2
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella.operations.rebase import rebase  # noqa: PLC0415 - completion needs the options
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    for name, value in (("IMAGE", image), ("OLDBASE", oldbase), ("NEWBASE", newbase)):
        if not value:
            raise UsageError(f"{name} is empty; expected an image")
    target = parse_location(image if output is None else output, output=output is not None)
    to_stdout = target.is_stream and not check
    if to_stdout and as_json:
        raise UsageError("--json and the image can't both go to standard output; give -o FILE")
    if sum(parse_location(name).is_stream for name in (image, oldbase, newbase)) > 1:
        raise UsageError("only one image can come through standard input")
    with session.open(to_stdout=to_stdout) as env:
        result = rebase(
            image,
            oldbase,
            newbase,
            tags,
            files=not no_files,
            dry_run=check,
            output=output,
            env=env,
            **choices,
        )
    _print(result, as_json=as_json, to_stdout=to_stdout, quiet=session.quiet)
    return _CONFLICTS if check and not result.is_clean else 0


def _print(result: Rebase, *, as_json: bool, to_stdout: bool, quiet: bool) -> None:
    """Print the result: of a check that is the report."""
    from lamella.report.rebase import conflict_lines, rebase_summary  # noqa: PLC0415 - as above

    if as_json:
        say_json(result.to_json())
    elif result.dry_run:
        say(*conflict_lines(result))
    elif not to_stdout:
        say(result.reference)
    if not quiet:
        flush()
        told = () if result.dry_run else conflict_lines(result, notes=False)
        tell(*told, *rebase_summary(result))
