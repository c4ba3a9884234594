"""Waits that end: what may block without limit, and how it is stopped when lamella is to end.

The command line says that it is asked to (`ask_to_end`); for others who call lamella nothing here
changes. The main thread needs no help, for signals interrupt what it waits for; other threads do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable
from weakref import WeakSet

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = [
    "Interrupted",
    "Stoppable",
    "apart",
    "ask_to_end",
    "finish",
    "is_asked_to_end",
    "is_published",
    "leaving",
    "left_behind",
    "patience",
    "published",
    "stop_all",
    "stops",
]

_LAST_SECONDS = 1.0
"""What is waited for, once asked to end, is waited for so long in all."""
_LOOK_SECONDS = 0.05
_T = TypeVar("_T")


class Interrupted(KeyboardInterrupt):
    """Somebody asked lamella to end. Raised in the main thread."""


@runtime_checkable
class Stoppable(Protocol):
    """Something that may be waited for for long."""

    def stop(self) -> None:
        """Let all waits for it end soon, with an error; its result is not needed. Any thread."""


class _State:
    """Of the process, as signals are."""

    def __init__(self) -> None:
        # Plain attributes: a signal's handler may not take locks.
        self.asked: float | None = None
        self.published = False
        self.left = ""
        self.stoppable: WeakSet[Stoppable] = WeakSet()
        self.lock = threading.Lock()


_state = _State()


def ask_to_end() -> None:
    """Note that lamella is to end now."""
    if _state.asked is None:
        _state.asked = time.monotonic()


def is_asked_to_end() -> bool:
    """Whether lamella is to end."""
    return _state.asked is not None


def patience(seconds: float) -> float:
    """Return how long to wait for something: less, once lamella is asked to end."""
    if _state.asked is None:
        return seconds
    left = _state.asked + _LAST_SECONDS - time.monotonic()
    return min(seconds, max(left, _LOOK_SECONDS))


def published() -> None:
    """Note that the result can be seen: from now on something is left behind."""
    _state.published = True


@contextmanager
def leaving(left: str) -> Iterator[None]:
    """Note what an interrupt leaves behind meanwhile, for its message; an error leaves it noted."""
    _state.left = left
    yield
    _state.left = ""


def left_behind() -> str:
    """Return what an interrupt leaves behind; empty: nothing is known to be left."""
    return _state.left or ("the new image was already written" if _state.published else "")


def is_published() -> bool:
    """Whether a result can be seen."""
    return _state.published


def stops(stoppable: Stoppable) -> None:
    """Let `stop_all` know of something, as long as it is there."""
    with _state.lock:
        _state.stoppable.add(stoppable)


def stop_all() -> None:
    """Stop all that may be waited for."""
    with _state.lock:
        found = list(_state.stoppable)
    for stoppable in found:
        stoppable.stop()


def finish(pool: ThreadPoolExecutor) -> None:
    """Wait until the threads of a pool have ended; once lamella is asked to end, not for long.

    A thread that still waits for something then ends with the process.
    """
    if not is_asked_to_end():
        pool.shutdown(wait=True, cancel_futures=True)
        return
    stop_all()
    pool.shutdown(wait=False, cancel_futures=True)
    last = threading.Thread(target=pool.shutdown, daemon=True)
    with suppress(RuntimeError):  # no thread can be started: then none is waited for
        last.start()
        last.join(patience(_LAST_SECONDS))


def apart(
    call: Callable[[], _T],
    stopped: Callable[[], bool] = is_asked_to_end,
    undo: Callable[[_T], object] = lambda _: None,
) -> _T:
    """Make a call that nothing can interrupt, in a thread of its own.

    Args:
        call: looks up a host, say.
        stopped: is polled; once it returns True, the call is no longer waited for.
        undo: takes what the call returns then.

    Raises:
        InterruptedError: it was stopped.
        Exception: of the call.
    """
    # Not before it is needed: this module is among the first that a program imports.
    from concurrent.futures import Future, wait  # noqa: PLC0415

    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again, where it is waited for
            future.set_exception(error)

    def drop(done: Future[_T]) -> None:
        if done.exception() is None:
            undo(done.result())

    threading.Thread(target=run, name="lamella-apart", daemon=True).start()
    done = False
    try:
        while not (done := bool(wait([future], _LOOK_SECONDS).done)) and not stopped():
            pass
    finally:
        if not done:
            future.add_done_callback(drop)
    if not done:
        raise InterruptedError("interrupted")
    return future.result()
