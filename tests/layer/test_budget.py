from __future__ import annotations

import threading

from lamella.layer.budget import Budget


def test_who_wants_more_than_is_left_waits() -> None:
    """All that is held at the same time stays within the limit."""
    budget, held, most, lock = Budget(10), 0, 0, threading.Lock()

    def work(size: int) -> None:
        nonlocal held, most
        for _ in range(200):
            budget.take(size)
            with lock:
                held += size
                most = max(most, held)
            with lock:
                held -= size
            budget.give(size)

    threads = [threading.Thread(target=work, args=(size,)) for size in (3, 4, 6, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 10
    assert held == 0


def test_more_than_all_is_had_alone() -> None:
    """Who wants more than the limit gets it when nobody else holds anything."""
    budget = Budget(10)
    assert budget.take(11) == 11
    waiting = threading.Thread(target=budget.take, args=(1,))
    waiting.start()
    budget.give(11)
    waiting.join()
