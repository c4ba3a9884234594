"""Registries for the tests of this folder, each started once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lamella
from lamella.transport.registry import Backoff, RegistryOptions
from tests.engines.fixtures import started
from tests.transport.registry.faulty import Front, front_of
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server, registry_server
from tests.transport.registry.tokens import TokenServer, token_server

Make = Callable[..., lamella.Environment]


@pytest.fixture(scope="session")
def plain() -> Iterator[Server]:
    """A registry without TLS that lets everybody in."""
    yield from started(registry_server(), "registry")


@pytest.fixture(scope="session")
def guarded() -> Iterator[Server]:
    """A registry with TLS, of an authority that nobody knows, and passwords."""
    server = registry_server(tls=True, auth={"htpasswd": {}})
    yield from started(server, "registry with TLS")


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """A token server."""
    yield from started(token_server(tmp_path_factory.mktemp("tokens")), "token server")


@pytest.fixture(scope="session")
def tokened(tokens: TokenServer) -> Iterator[Server]:
    """A registry that wants tokens of that server."""
    yield from started(registry_server(auth=tokens.settings), "registry with tokens")


@pytest.fixture(scope="session")
def _front(plain: Server) -> Iterator[Front]:
    with front_of(plain.host) as front:
        yield front


@pytest.fixture
def front(_front: Front) -> Front:
    """The plain registry behind a front that fails as it is told to."""
    _front.reset()
    return _front


@pytest.fixture
def client(plain: Server) -> Client:
    """Speaks to the plain registry, past its front."""
    return Client(plain.host)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Name a repository that no other test has."""
    own = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    return f"tests/{'-'.join(filter(None, own.split('-')))}"


@pytest.fixture
def env(tmp_path: Path) -> Make:
    """Return what calls need, with short pauses and nobody's credentials."""

    def make(**options: object) -> lamella.Environment:
        backoff = Backoff(first=0.01)
        registry = RegistryOptions(**{"backoff": backoff, **options})  # type: ignore[arg-type]
        return lamella.Environment(registry=registry)

    return make
