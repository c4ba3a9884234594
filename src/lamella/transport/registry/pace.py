"""How hard one registry may be asked: requests at the same time, and requests a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lamella.errors import EngineError

__all__ = ["Pace"]

_LOOK = 0.2
"""Seconds after which who waits looks whether it is still wanted."""


@dataclass
class _Turns:
    """What is under way to one registry."""

    busy: threading.BoundedSemaphore | None
    next: float = 0.0
    """When the next request may begin, as `time.monotonic` tells it."""


@dataclass(frozen=True, eq=False)
class Pace:
    """Limits that hold for all clients of a process together, each registry for itself.

    Args:
        rate: requests that may begin in a second; None: any number.
        at_once: requests that may be under way at a time; None: any number. One is under way until
            its answer begins.
    """

    rate: float | None = None
    at_once: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _hosts: dict[str, _Turns] = field(default_factory=dict, repr=False)

    @contextmanager
    def keeping(self, host: str, stopped: threading.Event) -> Iterator[None]:
        """Wait until a request to a host may begin, and count it as under way in the block.

        Raises:
            EngineError: the request was cancelled.
        """
        state = self._host(host)
        if state.busy is None:
            self._wait_turn(state, host, stopped)
            yield
            return
        while not state.busy.acquire(timeout=_LOOK):
            if stopped.is_set():
                raise EngineError(f"{host}: interrupted")
        try:
            self._wait_turn(state, host, stopped)
            yield
        finally:
            state.busy.release()

    def _host(self, host: str) -> _Turns:
        with self._lock:
            if host not in self._hosts:
                busy = threading.BoundedSemaphore(self.at_once) if self.at_once else None
                self._hosts[host] = _Turns(busy)
            return self._hosts[host]

    def _wait_turn(self, state: _Turns, host: str, stopped: threading.Event) -> None:
        if not self.rate:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, state.next)
            state.next = turn + 1 / self.rate
        if stopped.wait(turn - now):
            raise EngineError(f"{host}: interrupted")
