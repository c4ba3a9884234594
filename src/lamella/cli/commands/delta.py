"""``lamella delta``."""

from __future__ import annotations

from typing import Any

import click

from lamella.cli.completion import complete_file, complete_image, complete_output
from lamella.cli.headings import HeadedCommand
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import json_option, platform_option, tag_option
from lamella.cli.terminal import flush, say, say_json, tell
from lamella.errors import UsageError

__all__ = ["command"]


@click.command(
    "delta",
    short_help="write an image as another one's layers and one more",
    cls=HeadedCommand,
    headings={"Output": ("output", "archive", "dry_run", "as_json")},
)
@click.argument("old", shell_complete=complete_image)
@click.argument("new", shell_complete=complete_image)
@tag_option()
@platform_option(or_all=True)
@click.option(
    "--compression", metavar="KIND[:LEVEL]", help="Compress the layer: gzip, zstd or none."
)
@click.option(
    "--ignore", multiple=True, metavar="mtime", help="Keep files that differ only in time."
)
@click.option("--verify", "check", is_flag=True, help="Verify the file system before tagging.")
@click.option(
    "-o",
    "--output",
    shell_complete=complete_output,
    metavar="DEST",
    help="Destination, as of `lamella squash` (default: where OLD is).",
)
@click.option(
    "--archive",
    shell_complete=complete_file,
    metavar="FILE",
    help="Write only what an engine with OLD lacks.",
)
@click.option("--dry-run", is_flag=True, help="Print the sizes; write nothing.")
@json_option()
@image_session
def command(
    old: str,
    new: str,
    as_json: bool,
    session: Session,
    tags: tuple[str, ...],
    **choices: Any,  # noqa: ANN401 - click's, of the types that the options say
) -> int:
    """Write image NEW as the layers of image OLD and one layer with all that is different.

    The result has the files and the config of NEW. Who has OLD needs only that one layer: engines
    and registries share the others. The layer has the entries that changed and the fewest
    deletions. It doesn't matter how NEW was built: files are compared, not layers.

    With --archive, FILE has only that layer and the config. `docker load` and `podman load` take it
    where OLD is; elsewhere they fail.

    \b
      lamella delta docker://reg.example/app:1 docker://reg.example/app:2 -t app:2-delta
      lamella delta app:1 app:2 -t app:2 --archive update.tar
      lamella delta app:1 app:2 --dry-run
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella.operations import calls  # noqa: PLC0415 - completion needs the options alone
    from lamella.report.delta import delta_lines  # noqa: PLC0415 - as above

    place = choices["output"] if choices["archive"] is None else choices["archive"]
    dry_run = choices["dry_run"]
    to_stdout = _is_stream(place) and not dry_run
    if to_stdout and as_json:
        raise UsageError("--json and the image can't both go to standard output; give -o FILE")
    with session.open(to_stdout=to_stdout) as env:
        result = calls.delta(old, new, tags, env=env, **choices)
    lines = delta_lines(result)
    if as_json:
        say_json(result.to_json())
    elif dry_run:
        say(*lines)
        return 0
    elif not to_stdout:
        say(result.reference)
    if not session.quiet:
        flush()
        tell(*lines)
    return 0


def _is_stream(place: str | None) -> bool:
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    return place is not None and (place == "-" or parse_location(place, output=True).is_stream)
