"""The places of all pairs, each made once, before anything is squashed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import lamella, tmp
from tests.engines.fixtures import started
from tests.engines.tools import Tool
from tests.transport.registry.server import Server, registry_server
from tests.transport_pairs.destinations import Tools
from tests.transport_pairs.sources import SOURCES, Place, make_source

__all__ = ["lamella", "tmp"]


@pytest.fixture(scope="session")
def plain() -> Iterator[Server]:
    """A registry without TLS that lets everybody in."""
    yield from started(registry_server(), "registry")


@pytest.fixture(scope="session")
def tools(skopeo: Tool, crane: Tool, umoci: Tool, plain: Server) -> Tools:
    """Those that read what was written."""
    return Tools(skopeo, crane, umoci, plain)


@pytest.fixture(scope="session")
def places(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Place | BaseException]:
    """Every kind of source; where its engine can't be had, the reason.

    All are made before anything is squashed: what an engine has seen changes how it saves images.
    """
    found: dict[str, Place | BaseException] = {}
    for kind in SOURCES:
        folder = tmp_path_factory.mktemp(kind)
        try:
            found[kind] = make_source(kind, request.getfixturevalue, folder)
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            found[kind] = missing
    return found


@pytest.fixture
def place(source: str, places: dict[str, Place | BaseException]) -> Place:
    """The image, in a place of the kind that the test is about."""
    found = places[source]
    if isinstance(found, BaseException):
        raise found
    return found
