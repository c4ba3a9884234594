"""``lamella squash``."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from lamella.cli.completion import complete_image, complete_layer
from lamella.cli.page import write_whole
from lamella.cli.session import Session, image_session
from lamella.cli.terminal import flush, say, say_json, tell
from lamella.errors import UsageError
from lamella.report.text import plan_lines, summary

if TYPE_CHECKING:
    from lamella.api import Result

__all__ = ["command"]

_NOTHING = 3


@click.command("squash", short_help="squash layers of an image into one")
@click.argument("image", shell_complete=complete_image)
@click.argument("layer", required=False, shell_complete=complete_layer)
@click.argument("tag", required=False)
@click.option(
    "--from",
    "base",
    metavar="LAYER",
    shell_complete=complete_layer,
    help="The same as LAYER: squash what is above it.",
)
@click.option("--last", type=int, metavar="N", help="Squash the newest N layers that have content.")
@click.option(
    "--layers",
    "layers",
    multiple=True,
    metavar="A-B",
    help="Squash layers A to B as `lamella layers` numbers them. May be given again for another "
    "range, which becomes a layer of its own.",
)
@click.option(
    "--max-layers",
    type=int,
    metavar="N",
    help="Squash what brings the image to N layers: with the least lost of what other images "
    "share, then with the most saved.",
)
@click.option(
    "--auto",
    is_flag=True,
    help="Squash only where it pays: the fewest layers whose merging removes every dead byte. A "
    "base that other images of the engine use is left alone.",
)
@click.option("--include-base", is_flag=True, help="With --auto: that base, too.")
@click.option(
    "-t",
    "--tag",
    "tags",
    multiple=True,
    metavar="TAG",
    help="Name of the new image. May be given again.",
)
@click.option(
    "-o",
    "--output",
    metavar="DEST",
    help="Where the new image goes: NAME, podman:NAME, docker-archive:FILE[:TAG], oci:DIR[:TAG], "
    "oci-archive:FILE[:TAG], or - for standard output (default: where IMAGE came from).",
)
@click.option(
    "--platform",
    metavar="OS/ARCH[/V]|all",
    help="Which one of an image for several platforms (default: this machine's); all: every one, "
    "and the index is written anew (in registries and OCI layouts).",
)
@click.option(
    "--compression",
    metavar="KIND[:LEVEL]",
    help="Of the new layer: gzip, zstd or none (default: what suits the destination and the other "
    "layers: `lamella help transports`).",
)
@click.option(
    "--message", default="", metavar="TEXT", help="Comment of the new layer in the image's history."
)
@click.option(
    "--history",
    type=click.Choice(["merge", "keep"]),
    default="merge",
    show_default=True,
    help="Let one entry stand for those of the squashed layers, or keep them all, marked empty.",
)
@click.option(
    "--created",
    metavar="source|now|TIME",
    help="Time of the new image; TIME is like 2026-01-31T12:00:00Z (default: SOURCE_DATE_EPOCH if "
    "it is set, else the source's, so that the same image in gives the same image out).",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Before anything is tagged, prove that old and new image have the same file system.",
)
@click.option(
    "--digestfile",
    metavar="FILE",
    help="Write the digest of the new manifest to FILE (for registries and OCI layouts).",
)
@click.option("--exit-code", is_flag=True, help="Exit 3, not 0, when there was nothing to squash.")
@click.option("--dry-run", is_flag=True, help="Show the plan and the sizes, and write nothing.")
@click.option(
    "--cleanup",
    is_flag=True,
    help="Remove the source image from its engine when all went well.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON document (`lamella help json`), not the ID.",
)
@image_session
def command(
    image: str,
    layer: str | None,
    tag: str | None,
    base: str | None,
    tags: tuple[str, ...],
    output: str | None,
    created: str | None,
    verify: bool,
    digestfile: str | None,
    exit_code: bool,
    dry_run: bool,
    as_json: bool,
    session: Session,
    **choices: Any,  # noqa: ANN401 - click's, of the types that the options say
) -> int:
    """Squash layers of IMAGE into one; the other layers stay as they are, shared with the base.

    LAYER is the topmost layer to keep; every layer above it is squashed. It is a number, as
    `lamella layers` shows them, a layer ID (any unique prefix of at least 4 hex digits), or the
    name or ID of the base image. Without LAYER or another choice all layers become one. TAG names
    the new image.

    \b
    Everything above debian:12, in the Docker engine:
      lamella squash app:latest debian:12 app:slim
    The newest three layers; first look at what it would bring:
      lamella squash app:latest --last 3 --dry-run
      lamella squash app:latest --last 3 -t app:slim
    From archive to archive, proved before it is written; no engine needed:
      lamella squash app.tar 1 --verify -o docker-archive:slim.tar:app:slim
    Every platform of an image in a registry:
      lamella squash docker://reg.example/app:1 1 app:slim --platform all
    Through a pipe:
      docker save app | lamella squash - --last 3 -t app:slim | docker load

    Standard output has what names the new image: HOST/REPOSITORY@DIGEST in a registry, the
    manifest's digest in an OCI layout, else the image ID; or the archive. All else goes to standard
    error.
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella import api  # noqa: PLC0415 - completion needs the options alone
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    if layer is not None and base is not None:
        raise UsageError("LAYER and --from are the same thing; give one")
    target = parse_location(image if output is None else output, output=output is not None)
    to_stdout = target.is_stream and not dry_run
    if to_stdout and as_json:
        raise UsageError("--json and the image can't both go to standard output; give -o FILE")
    if digestfile is not None and not dry_run and not (target.home() or target).keeps_manifest:
        raise UsageError(f"--digestfile: {target} keeps no manifest, so there is no digest of it")
    with session.open(to_stdout=to_stdout) as env:
        result = api.squash(
            image,
            layer or base,
            [*tags, *([tag] if tag else [])],
            output=output,
            created=created,
            check=verify,
            dry_run=dry_run,
            env=env,
            **choices,  # options with the names of the call's parameters
        )
    if digestfile is not None and result.digest:
        write_whole(digestfile, result.digest)
    shown = "" if to_stdout else result.reference
    print_result(result, shown, as_json=as_json, quiet=session.quiet)
    return _NOTHING if exit_code and not result.squashed else 0


def print_result(result: Result, shown: str, *, as_json: bool, quiet: bool) -> None:
    """Print the result: an ID or a document on standard output, the summary on standard error."""
    if as_json:
        say_json(result.to_json())
    elif shown:
        say(shown)
    if not quiet:
        flush()
        width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
        plan = plan_lines(result) if result.dry_run else ()
        tell(*summary(result, width), *plan, *_name_hint(result))


def _name_hint(result: Result) -> list[str]:
    """Say that an image got no name, which few want."""
    from lamella.transport.location import slim  # noqa: PLC0415 - as above

    if result.dry_run or result.tags or result.digest:  # the digest of a manifest names it
        return []
    named = next(iter(result.source_tags), "app")
    return [f"the new image has no name; -t gives it one, for example -t {slim(named)}"]
