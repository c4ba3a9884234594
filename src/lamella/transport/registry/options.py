"""How to reach registries; the client itself is imported only when one is really spoken to."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamella.transport.registry.pace import Pace

__all__ = ["Backoff", "RegistryOptions"]


@dataclass(frozen=True)
class Backoff:
    """How often, and after how long, something is tried again."""

    tries: int = 5
    first: float = 0.5
    """Seconds before the second try; doubled for each further one."""
    longest: float = 120.0
    """Seconds that a registry may ask us to wait (Retry-After)."""


_VARIABLES = (
    "REGISTRY_AUTH_FILE",
    "DOCKER_AUTH_CONFIG",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "DOCKER_CONFIG",
    "HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


@dataclass(frozen=True)
class RegistryOptions:
    """How to reach registries, and who we are there."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # has passwords in it
    """REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, DOCKER_CONFIG,
    HOME; HTTPS_PROXY, HTTP_PROXY, NO_PROXY, also in lower case."""
    authfile: str | None = None
    """A file with credentials, asked before all others."""
    tls_verify: bool = True
    ca: str | None = None
    """A file with certificates of further authorities."""
    certs: tuple[str, ...] = ()
    """Folders as ``/etc/docker/certs.d``: the first that has one named ``HOST[:PORT]`` counts."""
    insecure: bool = False
    """Whether plain HTTP will do where there is no TLS; on this machine it always does."""
    cache: str | None = None
    """A folder for what the headers of layers say; None: nothing is remembered."""
    backoff: Backoff = field(default_factory=Backoff)
    pace: Pace | None = field(default=None, compare=False)
    """How hard each registry may be asked; None: as hard as it can be."""
    run_folder: str | None = None
    """Where ``podman login`` writes if there is no XDG_RUNTIME_DIR: ``/run/containers/UID``."""

    @classmethod
    def from_variables(cls, variables: Mapping[str, str], cache: str | None) -> RegistryOptions:
        """Return what environment variables say, and where this system keeps certificates."""
        found = {name: variables[name] for name in _VARIABLES if name in variables}
        home = variables.get("HOME")
        own = (f"{home}/.config/containers/certs.d",) if home else ()
        # Where Podman, skopeo and Docker look for them.
        certs = (*own, "/etc/containers/certs.d", "/etc/docker/certs.d")
        run = f"/run/containers/{os.getuid()}" if sys.platform == "linux" else None
        return cls(found, cache=cache, certs=certs, run_folder=run)
