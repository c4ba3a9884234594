"""No registry is asked more than it should be."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lamella.errors import EngineError
from lamella.transport.registry.pace import Pace


def test_so_many_at_a_time() -> None:
    """Of one registry; others have a count of their own."""
    pace, stopped = Pace(at_once=2), threading.Event()
    busy, most, lock = [0], [0], threading.Lock()
    gate = threading.Barrier(2)

    def ask(_: int) -> None:
        with pace.keeping("a", stopped):
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            gate.wait(10)  # two are always under way together
            with lock:
                busy[0] -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(12)))
        assert most[0] == 2
        with pace.keeping("a", stopped), pace.keeping("a", stopped), pace.keeping("b", stopped):
            pass


def test_so_many_a_second() -> None:
    """Whoever asks: the eleventh request of ten a second begins a second after the first."""
    pace, stopped = Pace(rate=10), threading.Event()

    def ask(_: int) -> float:
        with pace.keeping("a", stopped):
            return time.monotonic()

    with ThreadPoolExecutor(4) as pool:
        times = sorted(pool.map(ask, range(11)))
    assert times[-1] - times[0] >= 0.95


def test_a_wait_ends_when_nobody_wants_it() -> None:
    """In an error."""
    stopped = threading.Event()
    slow, narrow = Pace(rate=0.001), Pace(at_once=1)
    with slow.keeping("a", stopped):
        pass
    with narrow.keeping("a", stopped):
        stopped.set()
        for pace in (slow, narrow):
            with pytest.raises(EngineError, match="interrupted"), pace.keeping("a", stopped):
                pass
