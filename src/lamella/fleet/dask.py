"""Tasks done by a Dask cluster: one that is started here, or one of yours.

A worker that dies has its images done by others; what it had finished stays done.
https://distributed.dask.org/
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from lamella import __version__
from lamella.cores import usable_cores
from lamella.errors import EngineError, UsageError
from lamella.fleet.local import Watch, cancelled, run_with_retries
from lamella.fleet.task import Outcome, Task, failure
from lamella.transport.environment import Environment

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["MakeEnvironment", "run_dask"]

MakeEnvironment = Callable[[], Environment]
"""Makes an environment in the process that calls it, out of that one's variables and files. It is
sent to workers, so it has no secret in it; equal ones make equal environments."""

_CONNECT_SECONDS = 20
_LOOK_SECONDS = 0.02
"""Who waits for workers looks so often whether they are still wanted."""
_AHEAD = 4
"""Tasks handed over for each thread of the workers, so that none has nothing to do."""
_ENDED = frozenset({"finished", "error", "cancelled"})
"""States of a future that stay; of one that is lost the scheduler has the task done again."""
_mine = threading.local()


def run_dask(  # noqa: PLR0913 - as `run_local`, and which cluster
    tasks: Sequence[Task],
    env: Environment,
    watch: Watch,
    *,
    make_env: MakeEnvironment,
    address: str,
    jobs: int,
    retries: int,
) -> Generator[Outcome]:
    """Yield what came of each task, as they end.

    Args:
        tasks: in the order in which they are handed over.
        env: cancelling it ends all tasks.
        watch: is told what is under way.
        make_env: how workers reach registries.
        address: of a scheduler, ``tcp://HOST:PORT``; empty: a cluster is started here.
        jobs: tasks that are under way at a time in that cluster.
        retries: how often a task is tried again whose engine or registry failed.

    Raises:
        Cancelled: the work was cancelled.
        UsageError: Dask is not installed.
        EngineError: the scheduler can't be reached.
    """
    try:
        import dask.config  # noqa: PLC0415 - an extra

        # Read when `distributed` is imported, here and in the workers: no log lines.
        dask.config.set({"distributed.logging": {"distributed": "critical", "tornado": "critical"}})
        import distributed  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise UsageError(
            "`engine` dask: Dask is not installed; install lamella with it: "
            "pip install 'lamella[dask]'"
        ) from None
    with ExitStack() as stack:
        client = stack.enter_context(_client(address, jobs, stack))
        for outcome in _results(client, tasks, make_env, watch, retries):
            if outcome is not None:
                yield outcome
            if env.connections.cancelled_after(0 if outcome else _LOOK_SECONDS):
                raise cancelled()


def _client(address: str, jobs: int, stack: ExitStack) -> Client:
    from distributed import Client, LocalCluster  # noqa: PLC0415 - as above

    if address:
        try:
            return Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineError(f"can't reach the Dask scheduler {address}: {error}") from error
    processes = min(jobs, usable_cores())
    cluster = LocalCluster(
        n_workers=processes,
        threads_per_worker=-(-jobs // processes),
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )
    stack.callback(cluster.close)
    return Client(cluster, set_as_default=False)


class _Crew:
    """The workers of a cluster, which may come and go."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: frozenset[str] = frozenset()

    def most(self) -> int:
        """Return how many tasks may be handed over.

        Raises:
            EngineError: a worker has come that has no lamella, or another one.
        """
        threads: dict[str, int] = self._client.nthreads()
        if not self._known.issuperset(threads):
            _check_workers(self._client)
            self._known = frozenset(threads)
        return _AHEAD * max(1, sum(threads.values()))


def _check_workers(client: Client) -> None:
    """See to it that workers know what a task is; who doesn't would be sent it again and again.

    Raises:
        EngineError: a worker has no lamella, or another one.
    """
    found: Any = client.get_versions(packages=["lamella"])
    for worker, told in found["workers"].items():
        version = told["packages"].get("lamella") or "none"
        if version != __version__:
            raise EngineError(
                f"Dask worker {worker}: expected lamella {__version__}, got {version}; install "
                "the same version there"
            )


def _results(
    client: Client,
    tasks: Sequence[Task],
    make_env: MakeEnvironment,
    watch: Watch,
    retries: int,
) -> Iterator[Outcome | None]:
    """Yield what came of each task; None, as long as there is nothing to tell."""
    from distributed import as_completed  # noqa: PLC0415 - as above

    waiting = iter(tasks)
    of: dict[object, Task] = {}

    def hand_over() -> Future[Outcome] | None:
        task = next(waiting, None)
        if task is None:
            return None
        watch.begin(task.source)
        # Not pure: what a task finds depends on what is in the registry now.
        future = client.submit(_run_remote, task, make_env, retries, pure=False)
        of[future.key] = task
        return future

    crew = _Crew(client)
    running = as_completed(loop=client.loop)
    for _ in range(crew.most()):
        if (first := hand_over()) is not None:
            running.add(first)
    while running.count():
        if not running.has_ready():
            yield None
            continue
        future = next(running)
        if future.status not in _ENDED:  # its worker died before the result was fetched
            running.add(future)
            continue
        task = of.pop(future.key)
        watch.end(task.source)
        for _ in range(crew.most() - len(of)):  # workers come and go
            if (following := hand_over()) is not None:
                running.add(following)
        yield _outcome_of(future, task)


def _outcome_of(future: Any, task: Task) -> Outcome:  # noqa: ANN401 - a Future of Dask's
    """Return what came of a task that has ended; of one whose workers all died, that.

    Its state is not asked for: it changes whenever a worker dies, and a result that died with one
    is waited for once more.
    """
    try:
        outcome: Outcome = future.result()
    except Exception as error:  # noqa: BLE001 - whatever ended it in a worker
        return failure(task, EngineError(f"its Dask workers were lost: {error!r}"))
    return outcome


def _run_remote(task: Task, make_env: MakeEnvironment, retries: int) -> Outcome:
    """Do a task in a worker, which keeps its connections from one to the next."""
    known: dict[MakeEnvironment, Environment] = _mine.__dict__.setdefault("worlds", {})
    if make_env not in known:
        known[make_env] = make_env().__enter__()  # until the process ends
    return run_with_retries(task, known[make_env], retries)
