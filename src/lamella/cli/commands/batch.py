"""``lamella batch``."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from lamella.cli.batch_progress import Board, make_board
from lamella.cli.completion import complete_file, complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.page import check_writable, write_whole
from lamella.cli.session import Session, image_session
from lamella.cli.squash_options import HEADINGS, squash_options
from lamella.cli.terminal import flush, tell
from lamella.errors import UsageError
from lamella.report.batch import Totals, outcome_line, summary_lines
from lamella.waiting import leaving

if TYPE_CHECKING:
    from lamella.fleet.task import Outcome, Task
    from lamella.fleet.work import Listed, Work
    from lamella.transport.environment import Environment
    from lamella.transport.registry.pace import Pace

__all__ = ["command"]


_JOBS = 4
"""Images at a time by default, if there are not more cores: registries are waited for."""


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
    from lamella.transport.registry.pace import Pace  # noqa: PLC0415 - completion needs no call

    return Pace(rate, per_host)


@dataclass(frozen=True)
class _How:
    """How the images are done."""

    engine: str
    jobs: int
    retries: int
    journal: str | None
    as_json: bool
    html: str | None


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
@click.option(
    "--list",
    "list_file",
    metavar="FILE",
    shell_complete=complete_file,
    help="Read lines SOURCE [LAYER] [DEST] from FILE.",
)
@click.option(
    "--plan",
    metavar="FILE",
    shell_complete=complete_file,
    help="Carry out a plan (`lamella plan -o FILE`).",
)
@click.option("--since", metavar="TIME", help="Skip images created before TIME (RFC 3339).")
@click.option(
    "--shard",
    metavar="I/N|auto[/N]",
    help="Process part I of N (auto: see above).",
)
@squash_options
@click.option("--dry-run", is_flag=True, help="Print the plan of each image; write nothing.")
@click.option("--verify", is_flag=True, help="Verify each file system before tagging.")
@click.option(
    "--html",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write an HTML page of the results.",
)
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
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON document for each image.",
)
@image_session
def command(
    what: tuple[str, ...],
    template: str | None,
    list_file: str | None,
    plan: str | None,
    since: str | None,
    shard: str | None,
    base: str | None,
    dry_run: bool,
    verify: bool,
    journal: str | None,
    resume: bool,
    engine: str,
    jobs: int | None,
    rate: float | None,
    per_host: int | None,
    retries: int,
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
    from lamella.fleet.shard import Shard  # noqa: PLC0415 - completion needs the options alone

    wanted = _read_wanted(what, list_file, plan)
    if resume and journal is None:
        raise UsageError("--resume goes with --journal FILE")
    _check_time(since)
    if html is not None:
        check_writable(html)
    part = Shard.parse(shard, os.environ) if shard is not None else None
    if engine != "local" and engine.partition("=")[0] != "dask":
        raise UsageError(f"--engine {engine!r}: expected local, dask or dask=tcp://HOST:PORT")
    how = _How(engine, jobs or max(_JOBS, _cores()), retries, journal, as_json, html)
    reach = _Reach(session, rate, per_host)
    started = time.monotonic()
    with ExitStack() as stack:
        board = stack.enter_context(
            make_board(session.progress_mode, quiet=session.quiet, verbose=session.verbose)
        )
        env = stack.enter_context(reach())
        work = _find_work(
            wanted,
            _common(template, base, since, choices, check=verify, dry_run=dry_run),
            env,
            shard=part,
            known=_known(journal) if resume else {},
        )
        for result in work.results:
            board.note(f"{result}: is the result of another image; left alone")
        with leaving("finished images are kept; run again for the others"):
            totals = _do(work, reach, env, board, how)
    _report(totals, time.monotonic() - started, html, quiet=session.quiet)
    return totals.exit_code


def _read_wanted(
    what: tuple[str, ...], list_file: str | None, plan: str | None
) -> Sequence[Listed]:
    """Return which images are meant, before any pattern is looked up."""
    from lamella.cli.image_lists import read_lists, read_plan_of  # noqa: PLC0415 - as below
    from lamella.fleet.work import Listed  # noqa: PLC0415 - completion needs no call

    if plan is not None:
        if what or list_file is not None:
            raise UsageError("--plan names the images; leave out WHAT and --list")
        return read_plan_of(plan)
    if not what and list_file is None:
        raise UsageError("nothing to squash: expected WHAT, --list FILE or --plan FILE")
    return [*read_lists(list_file), *map(Listed, what)]


def _report(totals: Totals, seconds: float, html: str | None, *, quiet: bool) -> None:
    """Write the page, if one is wanted, and the summary."""
    if totals.kept is not None and html is not None:
        from lamella.report.batch_page import page  # noqa: PLC0415 - for Jinja2

        write_whole(html, page(totals.kept, totals, seconds))
    if not quiet:
        flush()
        tell(*summary_lines(totals, seconds))


def _cores() -> int:
    """Count the cores that this process may use: in a job those of the job."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_time(since: str | None) -> None:
    from datetime import datetime  # noqa: PLC0415 - few ask for it

    if since is None:
        return
    try:
        datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(
            f"--since {since!r}: expected a time like 2026-01-31T12:00:00Z or 2026-01-31"
        ) from None


def _common(
    template: str | None,
    base: str | None,
    since: str | None,
    choices: dict[str, Any],
    *,
    check: bool,
    dry_run: bool,
) -> Task:
    from lamella.fleet.task import Task  # noqa: PLC0415 - completion needs no call

    return Task(
        "",
        template or "",
        base,
        {name: value for name, value in choices.items() if _is_given(value)},
        check=check,
        dry_run=dry_run,
        since=since or "",
    )


def _is_given(value: object) -> bool:
    """Whether an option says something; 0 does, though nothing that any of them may be."""
    return value is not None and value is not False and value not in ((), "")


def _find_work(wanted: Sequence[Listed], common: Task, env: Environment, **more: Any) -> Work:  # noqa: ANN401 - of `make_tasks`
    from lamella.fleet.work import make_tasks  # noqa: PLC0415 - completion needs no call

    return make_tasks(wanted, common, env, **more)


def _known(journal: str | None) -> Any:  # noqa: ANN401 - of `read_journal`
    from lamella.fleet.journal import read_journal  # noqa: PLC0415 - completion needs no call

    return read_journal(journal or "")


def _do(work: Work, reach: _Reach, env: Environment, board: Board, how: _How) -> Totals:
    """Do all tasks; tell of each as it ends."""
    from lamella.fleet.journal import Journal  # noqa: PLC0415 - completion needs no call

    totals = Totals(kept=[] if how.html is not None else None)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(how.journal)) if how.journal else None
        for outcome in _outcomes(work, reach, env, board, how):
            if journal is not None:
                journal.note(outcome)
            totals.add(outcome)
            board.result(_line_of(outcome, as_json=how.as_json))
            board.count(totals, len(work.tasks))
    return totals


def _outcomes(
    work: Work, reach: _Reach, env: Environment, board: Board, how: _How
) -> Iterator[Outcome]:
    if how.engine == "local":
        from lamella.fleet.local import run_local  # noqa: PLC0415 - completion needs no call

        return run_local(work.tasks, env, board, jobs=how.jobs, retries=how.retries)
    from lamella.fleet.dask import run_dask  # noqa: PLC0415 - as above

    return run_dask(
        work.tasks,
        reach,
        board,
        address=how.engine.partition("=")[2],
        jobs=how.jobs,
        retries=how.retries,
    )


def _line_of(outcome: Outcome, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(outcome.to_json(), separators=(",", ":"))
    return outcome_line(outcome)
