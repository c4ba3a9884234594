"""``lamella squash``."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from lamella.cli.completion import complete_file, complete_image, complete_layer, complete_output
from lamella.cli.headings import HeadedCommand
from lamella.cli.page import check_writable, write_whole
from lamella.cli.paint import on_terminal
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import json_option, tag_option
from lamella.cli.squash_options import HEADINGS, squash_options
from lamella.cli.terminal import flush, say, say_json, tell
from lamella.errors import UsageError
from lamella.report.text import plan_lines, summary

if TYPE_CHECKING:
    from lamella.api import Result

__all__ = ["command"]

_NOTHING = 3


@click.command(
    "squash",
    short_help="squash layers of an image into one",
    cls=HeadedCommand,
    headings={
        **HEADINGS,
        "Output": ("output", "dry_run", "exit_code", "cleanup", "as_json"),
        "Proof": ("verify", "attest", "digestfile", "referrers"),
    },
)
@click.argument("image", shell_complete=complete_image)
@click.argument("layer", required=False, shell_complete=complete_layer)
@click.argument("tag", required=False)
@squash_options
@tag_option()
@click.option(
    "-o",
    "--output",
    shell_complete=complete_output,
    metavar="DEST",
    help="Destination: NAME, podman:NAME, docker-archive:FILE[:TAG], oci:DIR[:TAG], "
    "oci-archive:FILE[:TAG], docker://HOST/REPO[:TAG], or - for standard output (default: where "
    "IMAGE is).",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Verify the file system before tagging.",
)
@click.option(
    "--digestfile",
    shell_complete=complete_file,
    metavar="FILE",
    help="Write the digest of the new manifest to FILE.",
)
@click.option(
    "--attest",
    shell_complete=complete_file,
    metavar="FILE",
    help="Write an in-toto statement to FILE.",
)
@click.option(
    "--referrers",
    type=click.Choice(["copy", "drop"]),
    default="drop",
    show_default=True,
    help="SBOMs attached to IMAGE.",
)
@click.option("--exit-code", is_flag=True, help="Exit 3 if there was nothing to squash.")
@click.option("--dry-run", is_flag=True, help="Print the plan and the sizes; write nothing.")
@click.option(
    "--cleanup",
    is_flag=True,
    help="On success, remove the source from its engine.",
)
@json_option()
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
    attest: str | None,
    exit_code: bool,
    dry_run: bool,
    as_json: bool,
    session: Session,
    **choices: Any,  # noqa: ANN401 - click's, of the types that the options say
) -> int:
    """Squash layers of IMAGE into one. The other layers keep their bytes and digests.

    LAYER is the topmost layer to keep; every layer above it is squashed. It is a number, as printed
    by `lamella layers`, a layer ID (any unique prefix of at least 4 hex digits), or the name or ID
    of the base image. By default all layers are squashed. TAG is the name of the new image.

    \b
    Everything above debian:12, in the Docker engine:
      lamella squash app:latest debian:12 app:slim
    The newest three layers; first see what it would save:
      lamella squash app:latest --last 3 --dry-run
      lamella squash app:latest --last 3 -t app:slim
    From archive to archive, verified; no engine needed:
      lamella squash app.tar 1 --verify -o docker-archive:slim.tar:app:slim
    Every platform of an image in a registry:
      lamella squash docker://reg.example/app:1 1 app:slim --platform all
    Through a pipe:
      docker save app | lamella squash - --last 3 -t app:slim | docker load

    Standard output is the identity of the new image: HOST/REPOSITORY@DIGEST in a registry, the
    manifest's digest in an OCI layout, otherwise the image ID. With -o - it is the archive, with
    --dry-run the plan.
    Everything else goes to standard error. `lamella help cli` explains every option.
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella import api  # noqa: PLC0415 - completion needs the options alone
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    if layer is not None and base is not None:
        raise UsageError("LAYER and --from are the same thing; give one")
    for name, value in (("LAYER", layer), ("--from", base), ("TAG", tag)):
        if value == "":  # of a variable that is not set: without LAYER all would be squashed
            raise UsageError(f"{name} is empty; leave it out, or give a value")
    target = parse_location(image if output is None else output, output=output is not None)
    to_stdout = target.is_stream and not dry_run
    if to_stdout and as_json:
        raise UsageError("--json and the image can't both go to standard output; give -o FILE")
    if digestfile is not None and not dry_run and not (target.home() or target).keeps_manifest:
        raise UsageError(f"--digestfile: {target} keeps no manifest, so there is no digest of it")
    for file in (digestfile, attest):
        if file is not None and not dry_run:
            check_writable(file)
    with session.open(to_stdout=to_stdout) as env:
        result = api.squash(
            image,
            base if layer is None else layer,
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
    if attest is not None and not dry_run:
        write_attestation(attest, result)
    shown = "" if to_stdout else result.reference
    print_result(result, shown, as_json=as_json, quiet=session.quiet)
    return _NOTHING if exit_code and not (result.squashed or result.restated) else 0


def write_attestation(path: str, result: Result) -> None:
    """Write what is stated about the new image.

    Raises:
        OutputError: it can't be written there.
    """
    from lamella.operations.attestation import attestation  # noqa: PLC0415 - as above

    write_whole(path, json.dumps(attestation(result), indent=2) + "\n")


def print_result(result: Result, shown: str, *, as_json: bool, quiet: bool) -> None:
    """Print the result: an ID or a document on standard output, the summary on standard error.

    Of a dry run the plan is the result.
    """
    plan = plan_lines(result) if result.dry_run else ()
    columns = shutil.get_terminal_size().columns
    if as_json:
        say_json(result.to_json())
    elif result.dry_run:
        say(*summary(result, columns if on_terminal() else None), *plan)
        return
    elif shown:
        say(shown)
    if not quiet:
        flush()
        width = columns if sys.stderr.isatty() else None
        tell(*summary(result, width), *plan, *_name_hint(result))


def _name_hint(result: Result) -> list[str]:
    """Say that an image got no name, which few want."""
    from lamella.transport.location import slim  # noqa: PLC0415 - as above

    if result.dry_run or result.tags or result.digest:  # the digest of a manifest names it
        return []
    named = next(iter(result.source_tags), "app")
    return [f"the new image has no name; -t gives it one, for example -t {slim(named)}"]
