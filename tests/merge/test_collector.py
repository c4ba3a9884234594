"""Python's cycle collector, while very many members are made and afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from lamella.merge.collector import collector_paused

_YOUNG, _OLD = 0, 2


@pytest.fixture(autouse=True)
def _collector_on() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if enabled else gc.disable)()


def is_in(found: object, generation: int) -> bool:
    """Whether the collector counts an object there."""
    return any(one is found for one in gc.get_objects(generation))


def test_what_was_made_is_not_looked_through_right_afterwards() -> None:
    """It counts as old: a short look at what is young need not look at a million members."""
    with collector_paused():
        made: list[object] = [[]]
        assert is_in(made, _YOUNG)
    assert is_in(made, _OLD)


def test_what_the_program_around_it_froze_stays_frozen() -> None:
    """A server that froze its memory before it forked has its reasons."""
    gc.freeze()
    try:
        with collector_paused():
            pass
        frozen = gc.get_freeze_count()
    finally:
        gc.unfreeze()
    assert frozen
