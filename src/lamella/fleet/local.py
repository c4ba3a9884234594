"""Tasks done here, several at a time; what failed and may work next time is tried again."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Protocol

from lamella.cores import usable_cores
from lamella.errors import Cancelled
from lamella.fleet.task import Outcome, Task, run_task
from lamella.progress import SILENT, Progress
from lamella.transport.environment import Environment
from lamella.waiting import finish

__all__ = [
    "Silence",
    "Watch",
    "Workers",
    "cancelled",
    "default_jobs",
    "run_local",
    "run_with_retries",
]

_JOBS = 4
"""Images at a time at the least: registries are waited for."""
_FIRST_WAIT = 2.0
"""Seconds before a second try; doubled for each further one."""


class Watch(Protocol):
    """Is told what is under way."""

    def begin(self, source: str) -> Progress:
        """Return what is told of the progress of an image; from any thread."""

    def end(self, source: str) -> None:
        """The image is over; from any thread."""


class Silence:
    """Reports nothing; a `Watch`."""

    def begin(self, source: str) -> Progress:
        """Return progress that reports nothing."""
        del source
        return SILENT

    def end(self, source: str) -> None:
        """Report nothing."""


@dataclass(frozen=True)
class Workers:
    """Environments of threads that are cancelled together; a client of `Connections`."""

    worlds: Sequence[Environment]

    def stop(self) -> None:
        """Let all that is under way end soon, in an error."""
        for world in self.worlds:
            world.cancel()

    def close(self) -> None:
        """Each closes its own connections."""


def cancelled() -> Cancelled:
    """Return the error of a run of many images that was cancelled."""
    return Cancelled("images that are done stay")


def run_with_retries(task: Task, env: Environment, retries: int) -> Outcome:
    """Do a task, and again as long as an engine or a registry fails, but not too often."""
    for tries in range(1, retries + 2):
        outcome = replace(run_task(task, env), tries=tries)
        if not outcome.may_pass or tries > retries:
            break
        if env.connections.cancelled_after(_FIRST_WAIT * 2 ** (tries - 1)):
            break
    return outcome


def default_jobs() -> int:
    """Return how many images are done at a time: one for each core, but four at least.

    The cores are those that this process may use: in a job those of the job.
    """
    return max(_JOBS, usable_cores())


def run_local(
    tasks: Sequence[Task], env: Environment, watch: Watch, *, jobs: int, retries: int
) -> Generator[Outcome]:
    """Yield what came of each task, as they end.

    Each worker has connections of its own, which it keeps from one image to the next.

    Args:
        tasks: in the order in which they are begun.
        env: how to reach registries and engines.
        watch: is told what is under way.
        jobs: how many tasks are under way at a time.
        retries: how often one is tried again.

    Raises:
        Cancelled: the work was cancelled.
    """
    with ExitStack() as stack:
        worlds = [stack.enter_context(env.apart(SILENT)) for _ in range(jobs)]
        workers = env.connections.get(object(), lambda: Workers(worlds))
        stack.callback(env.connections.drop, workers)
        free: SimpleQueue[Environment] = SimpleQueue()
        for world in worlds:
            free.put(world)
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="lamella-batch")
        stack.callback(finish, pool)

        def work(task: Task) -> Outcome:
            world = free.get()
            try:
                told = replace(world, progress=watch.begin(task.source))
                return run_with_retries(task, told, retries)
            finally:
                watch.end(task.source)
                free.put(world)

        try:
            yield from map(_wanted, _windowed(pool, work, tasks, 2 * jobs))
        except BaseException:
            workers.stop()
            raise


def _wanted(outcome: Outcome) -> Outcome:
    """Return an outcome, unless the work was cancelled."""
    if outcome.exit_code == Cancelled.exit_code:
        raise cancelled()
    return outcome


class _Does(Protocol):
    def __call__(self, task: Task, /) -> Outcome: ...


def _windowed(
    pool: ThreadPoolExecutor, work: _Does, tasks: Sequence[Task], most: int
) -> Iterator[Outcome]:
    """Yield results as they come; only so many tasks are handed over at a time."""
    pending: list[Future[Outcome]] = []
    for task in tasks:
        while len(pending) >= most:
            yield from _first_done(pending)
        pending.append(pool.submit(work, task))
    while pending:
        yield from _first_done(pending)


def _first_done(pending: list[Future[Outcome]]) -> Iterator[Outcome]:
    """Wait until something is done; take it away, and yield it in the order of its tasks."""
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    ended = [future for future in pending if future in done]
    pending[:] = [future for future in pending if future not in done]
    yield from (future.result() for future in ended)
