"""From options to a client: the one file that knows Docker, Podman and how both are reached.

Podman's API is the one of a Docker engine, and so are source and destination. What differs is where
it listens, and that a service has to be started where none runs: Podman itself needs none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack

from lamella.errors import EngineError
from lamella.transport.engine.client import EngineClient
from lamella.transport.engine.host import Host, find_host
from lamella.transport.engine.options import EngineOptions
from lamella.transport.engine.podman_host import find_podman
from lamella.transport.engine.podman_service import PodmanService
from lamella.transport.environment import Environment

__all__ = ["client_of", "connect"]


def client_of(options: EngineOptions, env: Environment) -> EngineClient:
    """Return the client of an engine, which all share who use the environment at this time.

    Raises:
        EngineError: it can't be reached.
    """
    return env.connections.get(options, lambda: connect(options))


def connect(options: EngineOptions) -> EngineClient:
    """Reach an engine.

    Raises:
        EngineError: there is none.
    """
    if options.podman:
        return _connect_podman(options)
    return EngineClient(find_host(options.environment))


def _connect_podman(options: EngineOptions) -> EngineClient:
    """Reach Podman, by a service of our own if there is none; it ends when the last hangs up.

    Raises:
        EngineError: there is neither a service nor the podman command; or it is no Podman.
    """
    host = find_podman(options.environment, os.geteuid())
    if host is not None:
        client = EngineClient(host)
    else:
        client = _by_own_service(options.podman_service, options.environment)
    with ExitStack() as stack:
        stack.callback(client.close)
        _check_is_podman(client)
        stack.pop_all()
    return client


def _check_is_podman(client: EngineClient) -> None:
    if not client.is_podman:
        raise EngineError(
            f"CONTAINER_HOST={client.host}: no Podman answers there; "
            "use docker-daemon:NAME and DOCKER_HOST for a Docker engine"
        )


def _by_own_service(service: PodmanService, environment: Mapping[str, str]) -> EngineClient:
    url = service.take(environment.get("PATH"))
    try:
        return EngineClient(Host(url, podman=True, started_here=True), service.give_back)
    except BaseException:
        service.give_back()
        raise
