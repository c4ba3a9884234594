"""Who we are in a registry: what Docker's and containers' tools keep, found as they find it.

https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
https://docs.docker.com/reference/cli/docker/login/#credential-stores
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamella.errors import EngineError, UsageError
from lamella.transport.registry.name import DOCKER_HUB
from lamella.transport.registry.options import RegistryOptions

__all__ = ["Credentials", "find_credentials"]

_HUB_KEYS = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HUB_STORE_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - what credential helpers call a user who has a token


@dataclass(frozen=True)
class Credentials:
    """A name and a password, or a token that stands for both."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find_credentials(host: str, repository: str, options: RegistryOptions) -> Credentials | None:
    """Return what the first place has that knows the registry; None if none does.

    Raises:
        UsageError: the file of --authfile can't be read.
        EngineError: another file makes no sense, or a credential helper failed.
    """
    for config, where in _configs(options):
        found = _find(config, where, host, repository)
        if found is not None:
            return found
    return None


def _configs(options: RegistryOptions) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the places in their order."""
    environment = options.environment
    if options.authfile is not None:
        yield _read(Path(options.authfile), must_exist=True), options.authfile
    if path := environment.get("REGISTRY_AUTH_FILE"):
        yield _read(Path(path)), path
    if inline := environment.get("DOCKER_AUTH_CONFIG"):
        yield _parse(inline.encode(), "DOCKER_AUTH_CONFIG"), "DOCKER_AUTH_CONFIG"
    for file in _usual_files(environment):
        yield _read(file), str(file)


def _usual_files(environment: Mapping[str, str]) -> Iterator[Path]:
    if folder := environment.get("XDG_RUNTIME_DIR"):
        yield Path(folder) / "containers" / "auth.json"
    if folder := environment.get("DOCKER_CONFIG"):
        yield Path(folder) / "config.json"
    elif home := environment.get("HOME"):
        yield Path(home) / ".docker" / "config.json"


def _read(path: Path, *, must_exist: bool = False) -> Mapping[str, Any]:
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if must_exist:
            raise UsageError(f"--authfile {path}: {error.strerror}") from error
        return {}
    except OSError as error:
        raise EngineError(f"can't read {path}: {error.strerror}") from error
    return _parse(raw, str(path))


def _parse(raw: bytes, where: str) -> Mapping[str, Any]:
    """Read JSON; its content is not for messages."""
    try:
        value = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        raise EngineError(f"{where}: credentials: no valid JSON") from None
    if not isinstance(value, dict):
        raise EngineError(f"{where}: credentials: want a JSON object")
    return value


def _find(config: Mapping[str, Any], where: str, host: str, repository: str) -> Credentials | None:
    auths = {_normal(key): value for key, value in reversed(_table(config, "auths").items())}
    helpers = _table(config, "credHelpers")
    for key in _keys(host, repository):
        if isinstance(program := helpers.get(key), str):
            return _ask_helper(program, host, where)
        entry = auths.get(key)
        found = _from_entry(entry, f"{where}: {key}") if isinstance(entry, dict) else None
        if found is not None:
            return found
    store = config.get("credsStore")
    return _ask_helper(store, host, where) if isinstance(store, str) and store else None


def _table(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _keys(host: str, repository: str) -> Iterator[str]:
    """Yield what an entry may be called, the most specific name first."""
    hosts = _HUB_KEYS if host == DOCKER_HUB else (host,)
    parts = repository.split("/")
    for count in range(len(parts), 0, -1):
        for name in hosts:
            yield "/".join((name, *parts[:count]))
    yield from hosts


def _normal(key: str) -> str:
    """Return a key as today's tools write it; Docker used to write URLs."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    if bare != key:
        for version in ("/v1", "/v2"):
            bare = bare.removesuffix(version)
    return bare


def _from_entry(entry: Mapping[str, Any], where: str) -> Credentials | None:
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credentials(identity_token=token)
    auth = entry.get("auth")
    if isinstance(auth, str) and auth:
        try:
            name, colon, password = base64.b64decode(auth).decode().partition(":")
        except ValueError:
            colon = ""
        if not colon:
            raise EngineError(f"{where}: auth: want NAME:PASSWORD in base64")
        return Credentials(name, password.rstrip("\0"))
    user, secret = entry.get("username"), entry.get("password")
    if isinstance(user, str) and isinstance(secret, str) and user:
        return Credentials(user, secret)
    return None


def _ask_helper(program: str, host: str, where: str) -> Credentials | None:
    """Ask ``docker-credential-PROGRAM``."""
    from docker.credentials import Store, StoreError  # noqa: PLC0415 - docker-py: 0.13 s
    from docker.credentials.errors import CredentialsNotFound  # noqa: PLC0415

    try:
        store: Any = Store(program)
        found = store.get(_HUB_STORE_KEY if host == DOCKER_HUB else host)
    except CredentialsNotFound:
        return None
    except StoreError as error:
        said = " ".join(str(error).split())
        message = f"{where}: the credential helper docker-credential-{program} failed: {said:.300}"
        raise EngineError(message) from error
    name, secret = str(found.get("Username") or ""), str(found.get("Secret") or "")
    if name == _TOKEN_USER:
        return Credentials(identity_token=secret)
    return Credentials(name, secret) if name or secret else None
