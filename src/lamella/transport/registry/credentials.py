"""Who we are in a registry: what Docker's and containers' tools keep, found as they find it.

https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
https://docs.docker.com/reference/cli/docker/login/#credential-stores
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamella import limits
from lamella.errors import EngineError, UsageError
from lamella.spec.json import load_json
from lamella.transport.answers import field_of
from lamella.transport.registry.helper import HelperFailed, ask_helper
from lamella.transport.registry.name import DOCKER_HUB
from lamella.transport.registry.options import RegistryOptions

__all__ = ["Credentials", "Search"]

_HUB_KEYS = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HUB_STORE_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - what credential helpers call a user who has a token


@dataclass(frozen=True)
class Credentials:
    """A name and a password, or a token that stands for both."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """Traded for tokens by the registry's token server."""
    registry_token: str = field(default="", repr=False)
    """Shown to the registry as it is."""

    @property
    def secrets(self) -> frozenset[str]:
        """What must not be seen."""
        return frozenset({self.password, self.identity_token, self.registry_token} - {""})


class Search:
    """A search for the login to a registry."""

    def __init__(
        self, host: str, options: RegistryOptions, stopped: threading.Event | None = None
    ) -> None:
        """Take over where to search; once stopped, no credential helper is waited for."""
        self._host, self._options = host, options
        self._stopped = stopped or threading.Event()
        self.notes: list[str] = []
        """Which credential helpers were asked in vain, and why. They are no errors: the registry
        may give what is wanted to anybody, and another file may have a login."""

    def find(self, repository: str) -> Credentials | None:
        """Return what the first place has that knows the registry; None if none does.

        Raises:
            UsageError: the file of `authfile` can't be read.
            EngineError: another file makes no sense.
        """
        for config, where in _configs(self._options):
            found = self._find_in(config, where, repository)
            if found is not None:
                return found
        return None

    def _find_in(
        self, config: Mapping[str, Any], where: str, repository: str
    ) -> Credentials | None:
        helpers, auths = _table(config, "credHelpers"), _table(config, "auths")
        for key in _keys(self._host, repository):
            if isinstance(program := helpers.get(key), str) and program:
                return self._ask(program, where)
            if isinstance(entry := auths.get(key), dict):
                found = _from_entry(entry, f"{where}: {key}")
                if found is not None:
                    return found
        store = field_of(config, "credsStore")
        return self._ask(store, where) if isinstance(store, str) and store else None

    def _ask(self, program: str, where: str) -> Credentials | None:
        """Ask a helper, of Docker Hub under both names that tools keep a login under."""
        servers = (_HUB_STORE_KEY, DOCKER_HUB) if self._host == DOCKER_HUB else (self._host,)
        for server in servers:
            try:
                found = ask_helper(program, server, self._stopped)
            except HelperFailed as error:
                self.notes.append(f"{where}: docker-credential-{program}: {error}")
                return None
            if found is not None:
                name, secret = found
                if name == _TOKEN_USER:
                    return Credentials(identity_token=secret)
                return Credentials(name, secret)
        return None


def _configs(options: RegistryOptions) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the places in their order."""
    environment = options.environment
    if options.authfile is not None:
        yield _read(Path(options.authfile), must_exist=True), options.authfile
    if path := environment.get("REGISTRY_AUTH_FILE"):
        yield _read(Path(path)), path
    if inline := environment.get("DOCKER_AUTH_CONFIG"):
        raw = inline.encode("utf-8", "surrogateescape")
        yield _parse(raw, "DOCKER_AUTH_CONFIG"), "DOCKER_AUTH_CONFIG"
    for file in _usual_files(options):
        yield _read(file), str(file)
    if home := environment.get("HOME"):
        old = Path(home) / ".dockercfg"
        yield {"auths": _read(old)}, str(old)


def _usual_files(options: RegistryOptions) -> Iterator[Path]:
    environment, home = options.environment, options.environment.get("HOME")
    if folder := environment.get("XDG_RUNTIME_DIR"):
        yield Path(folder) / "containers" / "auth.json"
    elif options.run_folder:
        yield Path(options.run_folder) / "auth.json"
    if folder := environment.get("XDG_CONFIG_HOME") or (home and f"{home}/.config"):
        yield Path(folder) / "containers" / "auth.json"
    if folder := environment.get("DOCKER_CONFIG"):
        yield Path(folder) / "config.json"
    elif home:
        yield Path(home) / ".docker" / "config.json"


def _read(path: Path, *, must_exist: bool = False) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(limits.DOCUMENT + 1)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if must_exist:
            raise UsageError(f"`authfile` {path}: {error.strerror}") from error
        return {}
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        kind = UsageError if must_exist else EngineError
        raise kind(f"can't read {path}: {why}") from error
    if len(raw) > limits.DOCUMENT:
        raise EngineError(f"{path}: credentials: larger than {limits.DOCUMENT >> 20} MiB")
    return _parse(raw, str(path))


def _parse(raw: bytes, where: str) -> Mapping[str, Any]:
    """Read JSON; its content is not for messages."""
    try:
        value = load_json(raw) if raw.strip() else {}
    except ValueError:
        raise EngineError(f"{where}: credentials: invalid JSON") from None
    if not isinstance(value, dict):
        raise EngineError(f"{where}: credentials: expected a JSON object")
    return value


def _table(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a table by registry; a name as it is written comes before one that is a URL."""
    found = field_of(config, name)
    if not isinstance(found, dict):
        return {}
    normal = {_normal(key): value for key, value in reversed(found.items())}
    return normal | found


def _keys(host: str, repository: str) -> Iterator[str]:
    """Yield what an entry may be called, the most specific name first."""
    hosts: tuple[str, ...] = _HUB_KEYS if host == DOCKER_HUB else (host,)
    parts = repository.split("/")
    for count in range(len(parts), 0, -1):
        for name in hosts:
            yield "/".join((name, *parts[:count]))
    yield from hosts


def _normal(key: str) -> str:
    """Return a key as today's tools write it; a URL, which Docker used to write, means its host."""
    bare = key.removeprefix("https://").removeprefix("http://")
    return bare.rstrip("/") if bare == key else bare.partition("/")[0]


def _from_entry(entry: Mapping[str, Any], where: str) -> Credentials | None:
    token = field_of(entry, "identitytoken")
    if isinstance(token, str) and token:
        return Credentials(identity_token=token)
    token = field_of(entry, "registrytoken")
    if isinstance(token, str) and token:
        return Credentials(registry_token=token)
    auth = field_of(entry, "auth")
    if isinstance(auth, str) and auth:
        try:
            name, colon, password = (
                base64.b64decode(auth).decode("utf-8", "surrogateescape").partition(":")
            )
        except ValueError:
            colon = ""
        if not colon:
            raise EngineError(f"{where}: auth: expected NAME:PASSWORD in base64")
        return Credentials(name, password.strip("\0"))
    user, secret = field_of(entry, "username"), field_of(entry, "password")
    if isinstance(user, str) and isinstance(secret, str) and user:
        return Credentials(user, secret)
    return None
