"""Connections to engines and registries, shared by all that are made in one environment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar, cast

from lamella.errors import Cancelled

__all__ = ["Connections"]


class _Closes(Protocol):
    def close(self) -> None:
        """Hang up."""

    def stop(self) -> None:
        """Let all waits for it end soon, in an error. From any thread."""


_Client = TypeVar("_Client", bound=_Closes)


class Connections:
    """Clients of engines and registries: each is made once, and closed when it is no longer used.

    They may be used from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users = 0
        self._clients: list[tuple[object, _Closes]] = []
        self._cancelled = threading.Event()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep all that is opened until the last who uses it has come to an end."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Begin to use it."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """Come to an end; the last one closes all."""
        with self._lock:
            self._users -= 1
            is_last = not self._users
        if is_last:
            self.forget()

    def forget(self) -> None:
        """Close all clients; who asks for one again gets a new one."""
        with self._lock:
            ended, self._clients = self._clients, []
        for _, client in reversed(ended):
            client.close()

    def get(self, key: object, connect: Callable[[], _Client]) -> _Client:
        """Return the client of a place.

        Args:
            key: of the place; equal for the same one.
            connect: makes a client, if there is none yet.

        Raises:
            Cancelled: the work was cancelled.
            LamellaError: the place can't be reached.
        """
        self.check()
        found = self._find(key)
        if found is None:
            made = connect()  # without the lock: others must be able to stop what takes long
            with self._lock:
                found = self._find(key)
                if found is None:
                    self._clients.append((key, made))
                    return made
            made.close()
        return cast("_Client", found)

    def _find(self, key: object) -> _Closes | None:
        with self._lock:
            return next((client for known, client in self._clients if known == key), None)

    def drop(self, client: _Closes) -> None:
        """Stop and close a client, so that it is not used again."""
        with self._lock:
            self._clients = [one for one in self._clients if one[1] is not client]
        client.stop()
        client.close()

    def cancel(self) -> None:
        """End all that is under way, in an error; nothing is begun any more. From any thread."""
        self._cancelled.set()
        with self._lock:
            clients = [client for _, client in self._clients]
        for client in clients:
            client.stop()

    @property
    def is_cancelled(self) -> bool:
        """Whether the work under way was cancelled."""
        return self._cancelled.is_set()

    def cancelled_after(self, seconds: float) -> bool:
        """Sleep, at most until the work is cancelled; return whether it was."""
        return self._cancelled.wait(seconds)

    def check(self) -> None:
        """See to it that it is still wanted.

        Raises:
            Cancelled: it isn't.
        """
        if self.is_cancelled:
            raise Cancelled
