"""Connections that all share who use one environment: made once, closed by the last."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from lamella.errors import Cancelled
from lamella.transport.connections import Connections


@dataclass
class Client:
    """Notes what is done to it."""

    done: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Hang up."""
        self.done.append("close")

    def stop(self) -> None:
        """End what is under way."""
        self.done.append("stop")


def test_equal_keys_share_a_client() -> None:
    """Until the last user has gone; then the next one gets a new client."""
    connections = Connections()
    with connections.used():
        with connections.used():
            one = connections.get(("a", 1), Client)
            assert connections.get(("a", 1), Client) is one
            assert connections.get(("a", 2), Client) is not one
        assert one.done == []
        assert connections.get(("a", 1), Client) is one
    assert one.done == ["close"]
    with connections.used():
        assert connections.get(("a", 1), Client) is not one


def test_all_are_closed_after_an_error() -> None:
    """Whatever it was."""
    connections, client = Connections(), Client()

    def fail() -> None:
        with connections.used():
            connections.get("a", lambda: client)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert client.done == ["close"]


def test_a_client_that_failed_is_not_used_again() -> None:
    """It is stopped and closed, once."""
    connections = Connections()
    with connections.used():
        failed = connections.get("a", Client)
        connections.drop(failed)
        assert connections.get("a", Client) is not failed
    assert failed.done == ["stop", "close"]


def test_of_two_threads_that_connect_one_wins() -> None:
    """The other's client is closed; nobody waits for a lock while the first connects."""
    connections, connecting, go_on = Connections(), threading.Event(), threading.Event()
    found: list[Client] = []

    def slowly() -> Client:
        connecting.set()
        go_on.wait(30)
        return late

    late = Client()
    with connections.used():
        thread = threading.Thread(target=lambda: found.append(connections.get("a", slowly)))
        thread.start()
        assert connecting.wait(30)
        early = connections.get("a", Client)
        go_on.set()
        thread.join()
        assert found == [early]
        assert late.done == ["close"]


def test_who_cancels_stops_all_and_nothing_is_begun() -> None:
    """Neither a new connection nor the use of an old one."""
    connections = Connections()
    with connections.used():
        client = connections.get("a", Client)
        connections.cancel()
        assert client.done == ["stop"]
        with pytest.raises(Cancelled):
            connections.get("a", Client)
        with pytest.raises(Cancelled):
            connections.check()
