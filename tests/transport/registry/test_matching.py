"""Which images of a registry a pattern means: several repositories are asked at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import lamella
from lamella.transport.environment import Environment
from lamella.transport.registry.options import Backoff, RegistryOptions
from lamella.transport.transports import expand
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory
from tests.support.machine import patience
from tests.transport.registry.faulty import Front, front_of

NAMES = [f"team/app{number:02}" for number in range(12)]
ONCE = Environment(registry=RegistryOptions(backoff=Backoff(tries=1)))


@pytest.fixture
def front() -> Iterator[Front]:
    """The front of a registry with twelve repositories of two tags each."""
    with registry_in_memory(Oddly(0)) as registry, front_of(registry.host) as found:
        for name in NAMES:
            for tag in ("b", "a"):
                registry.put(name, tag, "", b"{}")
        yield found


def wanted(front: Front, *without: str) -> list[str]:
    """Name all images in the order of their names."""
    return [
        f"docker://{front.host}/{name}:{tag}"
        for name in NAMES
        if name not in without
        for tag in ("a", "b")
    ]


def test_repositories_are_asked_several_at_a_time(front: Front) -> None:
    """Each waits here until another is being asked, too; the order is that of the names."""
    together = threading.Barrier(2)

    def meet() -> None:
        together.wait(patience(20))

    front.add("GET .*/tags/list.*", times=len(NAMES), headers={"X-Nothing": "1"}, then=meet)
    assert expand(f"docker://{front.host}/team/*", ONCE) == wanted(front)
    assert front.count("GET .*/tags/list") == len(NAMES)


def test_no_more_are_asked_at_a_time_than_may_be(front: Front) -> None:
    """The limits of a registry hold for its list, too: here one would wait for another in vain."""
    together = threading.Barrier(2)
    failed: list[bool] = []

    def meet() -> None:
        try:
            together.wait(0.2)
        except threading.BrokenBarrierError:
            failed.append(True)

    front.add("GET .*/tags/list.*", headers={"X-Nothing": "1"}, then=meet)
    pace = lamella.Pace(at_once=1)
    env = Environment(registry=RegistryOptions(pace=pace))
    assert expand(f"docker://{front.host}/team/*", env) == wanted(front)
    assert failed == [True]


def test_a_repository_that_is_gone_stops_nothing(front: Front) -> None:
    """It was deleted since it was listed."""
    front.add(f"GET /v2/{NAMES[3]}/tags", status=404)
    assert expand(f"docker://{front.host}/team/*", ONCE) == wanted(front, NAMES[3])


def test_a_registry_that_fails_is_an_error(front: Front) -> None:
    """Nobody wants half of the images."""
    front.add(f"GET /v2/{NAMES[3]}/tags", status=500)
    with pytest.raises(lamella.EngineError, match=f"{NAMES[3]}: can't list its tags: 500"):
        expand(f"docker://{front.host}/team/*", ONCE)


def test_who_cancels_ends_it(front: Front) -> None:
    """Though the registry never answers."""
    env, over = Environment(), threading.Event()

    def silent() -> None:
        env.cancel()
        over.wait(patience(60))

    front.add(f"GET /v2/{NAMES[3]}/tags", headers={"X-Nothing": "1"}, then=silent)
    try:
        with pytest.raises(lamella.Cancelled):
            lamella.plan(f"docker://{front.host}/team/*", env=env)
    finally:
        over.set()
