"""Which Docker engine is meant: DOCKER_HOST, else the current context, else the usual socket.

The order, the files and their meaning are the docker command's own.
https://docs.docker.com/engine/manage-resources/contexts/
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lamella.errors import EngineError
from lamella.transport.engine.address import Address, parse_address, without_password
from lamella.transport.engine.headers import custom_headers

__all__ = ["Host", "TlsFiles", "find_host"]

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_DEFAULT_TLS = "tcp://localhost:2376"
_PORT = 2375
_TLS_FILES = {
    "LAMELLA_DOCKER_TLSCACERT": "ca.pem",
    "LAMELLA_DOCKER_TLSCERT": "cert.pem",
    "LAMELLA_DOCKER_TLSKEY": "key.pem",
}
"""Ours: the docker command has options for single files, and no variables."""
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")


@dataclass(frozen=True)
class TlsFiles:
    """Files for an encrypted connection; None where there is none."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool = True
    """Whether the engine must prove who it is."""

    @classmethod
    def of_folder(
        cls, folder: Path, *, verify: bool, instead: Mapping[str, str] | None = None
    ) -> TlsFiles:
        """Take the files that are there, under the names that Docker gives them.

        Args:
            folder: where they are.
            verify: whether the engine must prove who it is.
            instead: paths of files that were named, by the names they would have in the folder.

        Raises:
            EngineError: a certificate is there without its key, a key alone, or a file that was
                named is not there.
        """
        names, named = ("ca.pem", "cert.pem", "key.pem"), instead or {}
        for path in named.values():
            if not Path(path).is_file():
                raise EngineError(f"TLS file {path}: there is no such file")
        paths = (Path(named.get(name) or folder / name) for name in names)
        ca, cert, key = (path if path.is_file() else None for path in paths)
        if (cert is None) != (key is None):
            raise EngineError(
                f"{folder}: {names[1]} and {names[2]} belong together; one is missing"
            )
        return cls(ca, cert, key, verify)


@dataclass(frozen=True)
class Host:
    """Where an engine listens."""

    url: str
    tls: TlsFiles | None = None
    context: str = ""
    """The Docker context that named it, if one did."""
    podman: bool = False
    """It is Podman's."""
    started_here: bool = False
    """It is a service of our own, in a temporary folder: its address tells a user nothing."""
    key: str = ""
    """Path of the key for ssh; empty: ssh finds one."""
    api: str = ""
    """Version of the API that is to be spoken, as ``1.41``; empty: the engine's own."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request; they may hold secrets."""

    def __str__(self) -> str:
        """Return what a message calls it."""
        shown = without_password(self.url)
        return f"{shown} (context {self.context})" if self.context else shown

    @property
    def address(self) -> Address:
        """What the address says.

        Raises:
            ValueError: it makes no sense.
        """
        return parse_address(self.url)

    @property
    def is_local(self) -> bool:
        """Whether it is a socket of this machine."""
        return self.url.startswith("unix://")

    def may_listen(self) -> bool:
        """Whether an engine may listen there: False if it is a socket that does not exist."""
        return not self.is_local or os.path.exists(self.url.removeprefix("unix://"))  # noqa: PTH110


def find_host(environment: Mapping[str, str]) -> Host:
    """Find the engine that the docker command would speak to.

    Args:
        environment: DOCKER_HOST, DOCKER_CONTEXT, DOCKER_TLS, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH,
            DOCKER_CONFIG, DOCKER_API_VERSION, DOCKER_CUSTOM_HEADERS, LAMELLA_DOCKER_TLSCACERT,
            LAMELLA_DOCKER_TLSCERT, LAMELLA_DOCKER_TLSKEY, HOME.

    Raises:
        EngineError: the context it would use is not there, or a setting makes no sense.
    """
    folder = _config_folder(environment)
    try:
        config = _config(folder) if folder else {}
    except EngineError:
        if not environment.get("DOCKER_HOST", "").strip():
            raise
        config = {}  # which engine is meant is clear; the docker command goes on, too
    return replace(
        _find_address(environment, folder, config),
        api=_api_version(environment),
        headers=custom_headers(environment, config),
    )


def _find_address(
    environment: Mapping[str, str], folder: Path | None, config: Mapping[str, object]
) -> Host:
    if url := environment.get("DOCKER_HOST", "").strip():
        return Host(_completed(url), _tls(environment, folder))
    current = config.get("currentContext")
    context = environment.get("DOCKER_CONTEXT") or (current if isinstance(current, str) else "")
    if context in {"", "default"}:
        tls = _tls(environment, folder)
        return Host(_DEFAULT_TLS if tls else DEFAULT_SOCKET, tls)
    if folder is None:
        raise EngineError(f"DOCKER_CONTEXT={context}: neither DOCKER_CONFIG nor HOME is set")
    return _host_of_context(context, folder)


def _completed(url: str) -> str:
    """Fill in what DOCKER_HOST may leave out, as the docker command does."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "tcp", url
    if scheme == "unix":
        return url if rest else DEFAULT_SOCKET
    if scheme != "tcp":
        return url
    place, slash, path = rest.partition("/")
    user, at, place = place.rpartition("@")
    host, _, port = place.rpartition(":") if re.search(r":[0-9]*$", place) else (place, "", "")
    return f"tcp://{user}{at}{host or 'localhost'}:{port or _PORT}{slash}{path}"


def _config_folder(environment: Mapping[str, str]) -> Path | None:
    if folder := environment.get("DOCKER_CONFIG"):
        return Path(folder)
    home = environment.get("HOME")
    return Path(home) / ".docker" if home else None


def _tls(environment: Mapping[str, str], folder: Path | None) -> TlsFiles | None:
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not verify and not environment.get("DOCKER_TLS"):
        return None
    named = environment.get("DOCKER_CERT_PATH")
    instead = {name: path for key, name in _TLS_FILES.items() if (path := environment.get(key))}
    tls = TlsFiles.of_folder(
        Path(named) if named else folder or Path(), verify=verify, instead=instead
    )
    if tls.ca is None:
        asked = "DOCKER_TLS_VERIFY" if verify else "DOCKER_TLS"
        raise EngineError(
            f"{asked} is set, but there is no ca.pem in {named or folder}; "
            "set DOCKER_CERT_PATH, or unset it"
        )
    return tls


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    return _read(path) if path.is_file() else {}


def _api_version(environment: Mapping[str, str]) -> str:
    version = environment.get("DOCKER_API_VERSION", "").strip().removeprefix("v")
    if version and not _VERSION.fullmatch(version):
        raise EngineError(f"DOCKER_API_VERSION={version:.40}: expected a version such as 1.41")
    return version


def _host_of_context(name: str, folder: Path) -> Host:
    hashed = hashlib.sha256(name.encode()).hexdigest()
    path = folder / "contexts" / "meta" / hashed / "meta.json"
    if not path.is_file():
        raise EngineError(f"there is no Docker context {name!r}; `docker context ls` lists them")
    endpoints = _read(path).get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    url = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not isinstance(endpoint, dict) or not isinstance(url, str):
        raise EngineError(f"the Docker context {name!r} names no engine ({path})")
    tls = TlsFiles.of_folder(
        folder / "contexts" / "tls" / hashed / "docker", verify=not endpoint.get("SkipTLSVerify")
    )
    # As the docker command does it: TLS where there are files, or where it need not be verified.
    return Host(url, tls if tls.ca or tls.cert or not tls.verify else None, name)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(f"can't read {path}: {error}") from error
    if not isinstance(value, dict):
        raise EngineError(f"can't read {path}: expected a JSON object")
    return value
