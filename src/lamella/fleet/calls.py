"""lamella for many images: `batch` and `plan`, as `lamella.batch` and `lamella.plan`.

    >>> import lamella
    >>> for outcome in lamella.batch("./archives", "oci:slim:{name}", last=2):
    ...     print(outcome.state, outcome.source)

Nothing here prints, or asks.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self, Unpack

from lamella.errors import UsageError
from lamella.fleet.best import FleetPlan, choose_plan
from lamella.fleet.dask import MakeEnvironment, run_dask
from lamella.fleet.journal import Journal, read_journal
from lamella.fleet.local import Silence, Watch, default_jobs, run_local
from lamella.fleet.options import task_options
from lamella.fleet.plan_file import planned_images
from lamella.fleet.scan import ends_of_bases, scan_fleet
from lamella.fleet.shard import Shard
from lamella.fleet.task import Outcome, Task
from lamella.fleet.work import Listed, Work, make_tasks
from lamella.operations.options import SquashOptions
from lamella.operations.request import Name, reference_text
from lamella.spec.platform import Platform
from lamella.transport.environment import Environment, used
from lamella.transport.transports import expand

__all__ = ["Batch", "batch", "plan"]

_LOCAL, _DASK = "local", "dask"
_Wanted = Name | Listed | Iterable[Name | Listed]


class Batch(Iterator[Outcome]):
    """What comes of many images, as each ends.

    Work goes on only while the next outcome is asked for, or was; `close`, or the end of a ``with``
    block, ends it early. Images that are done stay.
    """

    def __init__(self, work: Work, outcomes: Generator[Outcome]) -> None:
        self.images = len(work.tasks) + len(work.failed)
        """How many outcomes there will be."""
        self.results = work.results
        """Images that match, but are the results of others that do; they are left alone."""
        self._outcomes = outcomes

    def __next__(self) -> Outcome:
        """Wait for the next outcome.

        Raises:
            Cancelled: another thread wanted it to end.
            OutputError: the journal can't be written.
            LamellaError: a cluster can't be reached.
        """
        return next(self._outcomes)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End what is under way."""
        self.close()

    def close(self) -> None:
        """End what is under way."""
        self._outcomes.close()


def batch(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    what: _Wanted | FleetPlan,
    to: str = "",
    base: Name | None = None,
    *,
    since: str = "",
    shard: Shard | None = None,
    check: bool = False,
    dry_run: bool = False,
    engine: str = _LOCAL,
    jobs: int | None = None,
    retries: int = 2,
    journal: Name | None = None,
    resume: bool = False,
    watch: Watch | None = None,
    worker_env: MakeEnvironment = Environment.from_env,
    env: Environment | None = None,
    **options: Unpack[SquashOptions],
) -> Batch:
    """Squash many images; those of which the result is up to date are left alone.

    Which images there are is found out at once, the work begins with the first outcome that is
    asked for. A failure becomes the outcome of its image.

    Args:
        what: a reference, or a pattern of them; the path of an archive, a layout, or a folder of
            archives; several of these, each perhaps with a LAYER and a destination of its own
            (`Listed`); or a plan, which also says what is squashed.
        to: where results go: a reference with ``{host}``, ``{repository}``, ``{name}`` and
            ``{tag}`` of the source.
        base: as for `squash`.
        since: a time in RFC 3339: images that were created before are passed over.
        shard: the part of the images that is done here; None: all.
        check: as for `squash`.
        dry_run: only plan.
        engine: ``local`` for threads, ``dask`` for processes that are started here, or
            ``dask=tcp://HOST:PORT`` for the cluster of that scheduler.
        jobs: images at a time; None: one for each core, but four at least.
        retries: how often an image is tried again whose engine or registry failed.
        journal: a file to which a JSON line is appended for each image.
        resume: leave alone what the journal lists as done, where results can't say it themselves.
        watch: is told which images are under way; what it gives is told of each one's progress.
        worker_env: makes the environment in each worker of Dask; it is sent there.
        env: as for `squash`; as a session it is used for all images. Whoever cancels it ends all.
        options: as for `squash`: `last`, `layers`, `max_layers`, `auto`, `include_base`,
            `platform`, `compression`, `message`, `history`, `created`, `annotations`, `change`,
            `unset_env`, `unset_label`, `redact`, `redact_names`, `exclude`, `remove_secrets`,
            `allow` and `clamp_mtime`. With `created` ``now``, no result is out of date for that.

    Raises:
        Cancelled: another thread wanted it to end.
        ImageNotFound: a pattern means nothing.
        UsageError: the request makes no sense for any image, or two have the same destination.
        LamellaError: a registry or an engine can't be asked which images it has.
    """
    env = env or Environment.from_env()
    how = _HowDone(
        _cluster(engine),
        jobs or default_jobs(),
        retries,
        None if journal is None else reference_text(journal),
        watch or Silence(),
        worker_env,
        env,
    )
    if resume and how.journal is None:
        raise UsageError("`resume` goes with `journal` FILE")
    common = Task(
        "",
        to,
        None if base is None else reference_text(base),
        options=task_options(options, env),
        check=check,
        dry_run=dry_run,
        since=since,
    )
    wanted = _listed(what)
    with used(env) as world:
        known = read_journal(how.journal) if resume and how.journal else {}
        work = make_tasks(wanted, common, world, shard=shard, known=known)
    return Batch(work, how.outcomes(work))


def _listed(what: _Wanted | FleetPlan) -> list[Listed]:
    """Return which images are meant, before any pattern is looked up.

    Raises:
        UsageError: none is.
    """
    if isinstance(what, FleetPlan):
        return [Listed(image.image, planned=image) for image in planned_images(what)]
    if isinstance(what, str | os.PathLike | Listed):
        what = [what]
    found = [one if isinstance(one, Listed) else Listed(reference_text(one)) for one in what]
    if not found:
        raise UsageError("no images: name some")
    return found


def _cluster(engine: str) -> str | None:
    """Return the address of a Dask scheduler; empty: one is started here; None: no Dask.

    Raises:
        UsageError: there is no such engine.
    """
    kind, equals, address = engine.partition("=")
    if kind == _DASK:
        return address
    if kind != _LOCAL or equals:
        raise UsageError(f"`engine` {engine!r}: expected local, dask or dask=tcp://HOST:PORT")
    return None


@dataclass(frozen=True)
class _HowDone:
    """How the images are done."""

    cluster: str | None
    jobs: int
    retries: int
    journal: str | None
    watch: Watch
    worker_env: MakeEnvironment
    env: Environment

    def outcomes(self, work: Work) -> Generator[Outcome]:
        """Yield what comes of each image; it is in the journal then."""
        with ExitStack() as stack:
            stack.enter_context(used(self.env))
            journal = stack.enter_context(Journal(self.journal)) if self.journal else None
            running = stack.enter_context(closing(self._running(work.tasks)))
            for outcome in chain(work.failed, running):
                if journal is not None:
                    journal.note(outcome)
                yield outcome

    def _running(self, tasks: Sequence[Task]) -> Generator[Outcome]:
        if self.cluster is None:
            return run_local(tasks, self.env, self.watch, jobs=self.jobs, retries=self.retries)
        return run_dask(
            tasks,
            self.env,
            self.watch,
            make_env=self.worker_env,
            address=self.cluster,
            jobs=self.jobs,
            retries=self.retries,
        )


def plan(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    images: _Wanted,
    *,
    max_layers: int | None = None,
    keep: Sequence[Name] = (),
    pulls: Mapping[str, int] | None = None,
    min_saved: int = 0,
    platform: str | Platform | None = None,
    env: Environment | None = None,
) -> FleetPlan:
    """Plan which layers of many images to squash, so that all of them together take least.

    It writes nothing; `batch` carries it out. Images that can't be read are left out, and told.

    Args:
        images: references and patterns, as for `batch`; several names of one image are fine.
        max_layers: how many layers an image may have then.
        keep: bases whose layers stay as they are: references, or chain IDs of their last layers.
        pulls: how often images are pulled, by reference, for each time that their bytes are stored.
        min_saved: how many bytes each new layer must save.
        platform: ``OS/ARCH[/VARIANT]``, of images for several.
        env: how to reach them, and where layers are remembered; None: `Environment.from_env`.

    Raises:
        Cancelled: another thread wanted it to end.
        UsageError: there are no images, or what is asked for makes no sense.
        LamellaError: no image can be read, or a base can't.
    """
    listed = list(_listed(images))
    if not listed:
        raise UsageError("no images: name some")
    wanted = Platform.parse(str(platform)) if platform else None
    with used(env) as world:
        names = dict.fromkeys(name for one in listed for name in expand(one.source, world))
        scanned = scan_fleet(list(names), wanted, world)
        ends = ends_of_bases([*map(reference_text, keep)], scanned.catalogue, wanted, world)
        world.progress.phase("plan")
        found = choose_plan(
            scanned.catalogue,
            scanned.sizes,
            max_layers=max_layers,
            keep=ends,
            pulls=pulls,
            min_saved=min_saved,
        )
    return replace(found, unread=scanned.unread)
