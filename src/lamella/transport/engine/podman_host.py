"""Which Podman is meant: CONTAINER_HOST, else CONTAINER_CONNECTION, else a service of this machine.

https://docs.podman.io/en/latest/markdown/podman.1.html#environment-variables
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lamella.errors import EngineError
from lamella.transport.engine.address import parse_address, without_password
from lamella.transport.engine.host import Host

__all__ = ["find_podman"]

SYSTEM_SOCKET = "/run/podman/podman.sock"
_PATIENCE = 5


def find_podman(environment: Mapping[str, str], user: int) -> Host | None:
    """Find a service that listens; None if there is none and nothing says where one should be.

    As for the podman command, root's images and a user's own are two different storages: a user is
    never sent to root's service, nor root to a user's.

    Args:
        environment: CONTAINER_HOST, CONTAINER_CONNECTION, CONTAINER_SSHKEY, CONTAINERS_CONF,
            PODMAN_CONNECTIONS_CONF, XDG_CONFIG_HOME, HOME, XDG_RUNTIME_DIR.
        user: the number of the user that it is asked for; 0 is root.

    Raises:
        EngineError: what the variables name is not there, or can't be spoken to.
    """
    if url := environment.get("CONTAINER_HOST", "").strip():
        return _host("CONTAINER_HOST", url, environment.get("CONTAINER_SSHKEY", ""))
    if name := environment.get("CONTAINER_CONNECTION", "").strip():
        return _connection(name, environment)
    path = SYSTEM_SOCKET
    if user:
        folder = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
        path = f"{folder}/podman/podman.sock"
    return Host(f"unix://{path}", podman=True) if _listens(path) else None


def _host(setting: str, url: str, key: str) -> Host:
    try:
        parse_address(url)
    except ValueError as error:
        raise EngineError(f"{setting}={without_password(url)}: {error}") from error
    return Host(url, podman=True, key=key)


def _connection(name: str, environment: Mapping[str, str]) -> Host:
    """Look up one of the connections that `podman system connection` keeps."""
    for path, connections in _connections(environment):
        found = connections.get(name)
        if not isinstance(found, dict):
            continue
        # The two kinds of file write the names of the fields differently.
        fields = {key.lower(): value for key, value in found.items()}
        url, key = fields.get("uri"), fields.get("identity") or ""
        if not isinstance(url, str) or not isinstance(key, str):
            raise EngineError(f"the Podman connection {name!r} in {path} names no service")
        return _host(f"Podman connection {name!r}: uri", url, key)
    raise EngineError(
        f"there is no Podman connection {name!r}; `podman system connection list` lists them"
    )


def _connections(environment: Mapping[str, str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each file that has connections, and those in it, the ones that count first."""
    home = environment.get("HOME")
    folder = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    own = Path(folder) / "containers" if folder else None
    kept = [own / "podman-connections.json"] if own else []
    if named := environment.get("PODMAN_CONNECTIONS_CONF"):
        kept = [Path(named)]
    for file in kept:
        if file.is_file():
            yield file, _dict(_dict(_load(file).get("Connection")).get("Connections"))
    if named := environment.get("CONTAINERS_CONF"):
        files = [Path(named)]
    else:
        folders = [*([own] if own else []), Path("/etc/containers"), Path("/usr/share/containers")]
        files = [file for place in folders for file in _files_of(place)]
    for file in files:
        if file.is_file():
            yield file, _dict(_dict(_load(file).get("engine")).get("service_destinations"))


def _files_of(folder: Path) -> list[Path]:
    """Return the files of settings of a folder, the last word first."""
    more = sorted((folder / "containers.conf.d").glob("*.conf"), reverse=True)
    return [*more, folder / "containers.conf"]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _load(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - who speaks to Docker needs none

    try:
        text = path.read_text(encoding="utf-8")
        return _dict(json.loads(text) if path.suffix == ".json" else tomllib.loads(text))
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(f"can't read {path}: {error}") from error


def _listens(path: str) -> bool:
    """Whether a service answers; a socket may outlive its service."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as knocking:
        knocking.settimeout(_PATIENCE)
        knocking.connect(path)
        return True
    return False
