"""``lamella batch``."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from lamella.cli.batch_progress import make_board
from lamella.cli.completion import complete_file, complete_image
from lamella.cli.failures import in_options
from lamella.cli.headings import HeadedCommand
from lamella.cli.page import check_writable, write_whole
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import html_option, json_option, list_option
from lamella.cli.squash_options import HEADINGS, squash_options
from lamella.cli.terminal import flush, tell
from lamella.errors import UsageError
from lamella.report.batch import Totals, outcome_line, summary_lines
from lamella.transport.registry.pace import Pace
from lamella.waiting import leaving

if TYPE_CHECKING:
    from lamella.fleet.task import Outcome
    from lamella.fleet.work import Listed
    from lamella.transport.environment import Environment

__all__ = ["command"]


@dataclass(frozen=True)
class _Reach:
    """How registries are reached, here or in another process; it has no secret in it."""

    session: Session
    rate: float | None
    per_host: int | None

    def __call__(self) -> Environment:
        env = self.session.environment()
        if self.rate is None and self.per_host is None:
            return env
        pace = _pace(self.rate, self.per_host)
        return replace(env, registry=replace(env.registry, pace=pace))


@functools.cache
def _pace(rate: float | None, per_host: int | None) -> Pace:
    """Return the one pace of this process: all threads keep it together."""
    return Pace(rate, per_host)


@click.command(
    "batch",
    short_help="squash many images: a registry, a folder, a list",
    cls=HeadedCommand,
    headings={
        "Which images": ("list_file", "plan", "since", "shard"),
        **HEADINGS,
        "Output": ("template", "dry_run", "verify", "as_json", "html", "journal", "resume"),
        "Speed": ("engine", "jobs", "rate", "per_host", "retries"),
    },
)
@click.argument("what", nargs=-1, shell_complete=complete_image)
@click.option(
    "--to",
    "template",
    metavar="TEMPLATE",
    help="Destination, such as oci:DIR:{name}.",
)
@list_option("Read lines SOURCE [LAYER] [DEST] from FILE.")
@click.option(
    "--plan",
    metavar="FILE",
    shell_complete=complete_file,
    help="Carry out a plan (`lamella plan -o FILE`).",
)
@click.option(
    "--since", default="", metavar="TIME", help="Skip images created before TIME (RFC 3339)."
)
@click.option(
    "--shard",
    metavar="I/N|auto[/N]",
    help="Process part I of N (auto: see above).",
)
@squash_options
@click.option("--dry-run", is_flag=True, help="Print the plan of each image; write nothing.")
@click.option("--verify", is_flag=True, help="Verify each file system before tagging.")
@html_option("Write an HTML page of the results.")
@click.option(
    "--journal",
    metavar="FILE",
    shell_complete=complete_file,
    help="Append a JSON line per image to FILE.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Skip what the journal lists as done.",
)
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="local|dask[=ADDR]",
    help="Threads, or a Dask cluster.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Images at a time (default: cores).",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Requests per second and registry.",
)
@click.option(
    "--per-host", type=click.IntRange(1), metavar="N", help="Requests at a time per registry."
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    metavar="N",
    help="Retries after exit code 5.",
)
@json_option("Print a JSON document for each image.")
@image_session
def command(
    what: tuple[str, ...],
    template: str | None,
    list_file: str | None,
    plan: str | None,
    shard: str | None,
    verify: bool,
    rate: float | None,
    per_host: int | None,
    as_json: bool,
    html: str | None,
    session: Session,
    **choices: Any,  # noqa: ANN401 - click's, of the types that the options say
) -> int:
    """Squash many images. Images whose result is up to date are skipped.

    WHAT is an image reference, or a pattern of them: * and ? match within a name, ** also matches
    slashes. A pattern without a tag means every tag. A folder means the archives in it. In
    TEMPLATE, {host}, {repository}, {name} (its last part, or the file's name) and {tag} are
    replaced by those of the source.

    \b
    Every tag that starts with v, in every repository of team, beside the original:
      lamella batch 'docker://reg.example/team/*:v*' --last 3 \\
        --to 'docker://{host}/{repository}:{tag}-slim'
    A folder of archives, into an OCI layout:
      lamella batch ./archives --to 'oci:slim:{name}'
    Four processes that share the work (auto: as Kubernetes, GitLab or SLURM number them):
      lamella batch --list images.txt --to '…' --shard 1/4

    An image is squashed again if its source or the options have changed: each result in a registry
    or OCI layout has annotations that record both. For other destinations, use --journal and
    --resume. A failure does not stop the others; the exit code is 5 if a registry or engine failed,
    otherwise that of the failures if it is the same for all, otherwise 1.
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella.fleet.calls import batch  # noqa: PLC0415 - completion needs the options alone
    from lamella.fleet.shard import Shard  # noqa: PLC0415 - as above

    wanted = _read_wanted(what, list_file, plan)
    if html is not None:
        check_writable(html)
    reach = _Reach(session, rate, per_host)
    started = time.monotonic()
    totals = Totals(kept=[] if html is not None else None)
    with ExitStack() as stack:
        board = stack.enter_context(
            make_board(session.progress_mode, quiet=session.quiet, verbose=session.verbose)
        )
        found = batch(
            wanted,
            template or "",
            shard=Shard.parse(shard, os.environ) if shard is not None else None,
            check=verify,
            watch=board,
            worker_env=reach,
            env=stack.enter_context(reach()),
            **choices,  # options with the names of the call's parameters
        )
        for result in found.results:
            board.note(f"{result}: is the result of another image; left alone")
        with leaving("finished images are kept; run again for the others"), found:
            for outcome in found:
                totals.add(outcome)
                board.result(_line_of(outcome, as_json=as_json))
                board.count(totals, found.images)
    _report(totals, time.monotonic() - started, html, quiet=session.quiet)
    return totals.exit_code


def _read_wanted(
    what: tuple[str, ...], list_file: str | None, plan: str | None
) -> Sequence[str | Listed]:
    """Return which images are meant, before any pattern is looked up."""
    from lamella.cli.image_lists import read_lists, read_plan_of  # noqa: PLC0415 - as above

    if plan is not None:
        if what or list_file is not None:
            raise UsageError("--plan names the images; leave out WHAT and --list")
        return read_plan_of(plan)
    if not what and list_file is None:
        raise UsageError("nothing to squash: expected WHAT, --list FILE or --plan FILE")
    return [*read_lists(list_file), *what]


def _report(totals: Totals, seconds: float, html: str | None, *, quiet: bool) -> None:
    """Write the page, if one is wanted, and the summary."""
    if totals.kept is not None and html is not None:
        from lamella.report.batch_page import page  # noqa: PLC0415 - for Jinja2

        write_whole(html, page(totals.kept, totals, seconds))
    if not quiet:
        flush()
        tell(*map(in_options, summary_lines(totals, seconds)))


def _line_of(outcome: Outcome, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(outcome.to_json(), separators=(",", ":"))
    return in_options(outcome_line(outcome))
