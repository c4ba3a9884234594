"""``podman:NAME``: images in Podman's storage, over the API of its service.

The API is the one of a Docker engine, and so are source and destination (see `engine`). What
differs is where it listens, and that a service has to be started where none runs: Podman itself
needs none.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from lamella.errors import EngineError
from lamella.transport.engine_client import EngineClient
from lamella.transport.engine_host import EngineOptions, Host
from lamella.transport.podman_service import PodmanService

__all__ = ["connect_podman", "find_podman"]

SYSTEM_SOCKET = "/run/podman/podman.sock"
_LOCAL = ("unix://", "tcp://", "http://", "https://")
_PATIENCE = 5


def find_podman(environment: Mapping[str, str], user: int) -> Host | None:
    """Find a service that listens; None if there is none and nothing says where one should be.

    As for the podman command, root's images and a user's own are two different storages: a user is
    never sent to root's service, nor root to a user's.

    Args:
        environment: CONTAINER_HOST, XDG_RUNTIME_DIR.
        user: the number of the user that it is asked for; 0 is root.

    Raises:
        EngineError: CONTAINER_HOST is not of a kind that can be spoken to.
    """
    if url := environment.get("CONTAINER_HOST", "").strip():
        return Host(_checked(url), podman=True)
    path = SYSTEM_SOCKET
    if user:
        folder = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
        path = f"{folder}/podman/podman.sock"
    return Host(f"unix://{path}", podman=True) if _listens(path) else None


def _checked(url: str) -> str:
    if url.startswith("ssh://"):
        raise EngineError(
            f"CONTAINER_HOST={url}: Podman over ssh can't be reached; forward its socket with "
            "`ssh -NL /tmp/podman.sock:/run/podman/podman.sock HOST` and set "
            "CONTAINER_HOST=unix:///tmp/podman.sock"
        )
    if not url.startswith(_LOCAL):
        raise EngineError(f"CONTAINER_HOST={url}: want unix:///PATH or tcp://HOST:PORT")
    return url


def _listens(path: str) -> bool:
    """Whether somebody answers; a socket may outlive its service."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(_PATIENCE)
        knocking.connect(path)
        return True
    return False


def connect_podman(options: EngineOptions) -> EngineClient:
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
        return EngineClient(Host(url, podman=True), service.give_back)
    except BaseException:
        service.give_back()
        raise
