"""How to reach an engine; the client itself is imported only when one is really spoken to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lamella.transport.engine.names import docker_name, podman_name
from lamella.transport.engine.podman_service import PodmanService

__all__ = ["EngineOptions"]


_VARIABLES = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_API_VERSION",
    "DOCKER_CUSTOM_HEADERS",
    "LAMELLA_DOCKER_TLSCACERT",
    "LAMELLA_DOCKER_TLSCERT",
    "LAMELLA_DOCKER_TLSKEY",
    "HOME",
    "CONTAINER_HOST",
    "CONTAINER_CONNECTION",
    "CONTAINER_SSHKEY",
    "CONTAINERS_CONF",
    "PODMAN_CONNECTIONS_CONF",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "PATH",
)


@dataclass(frozen=True)
class EngineOptions:
    """How to reach an engine."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What `find_host` and `find_podman` read; it may hold secrets."""
    podman: bool = False
    """Podman is meant, not Docker."""
    podman_service: PodmanService = field(default_factory=PodmanService, compare=False, repr=False)
    """Started if Podman has none that runs."""
    source: Literal["auto", "api", "local"] = "auto"
    """How layers are read: where the engine keeps them if that is possible, by its API, or in no
    other way than in place."""
    cache: str | None = None
    """Folder for what is remembered of layers below those that are squashed; None: nothing is."""

    @classmethod
    def from_variables(cls, variables: Mapping[str, str], cache: str | None) -> EngineOptions:
        """Return what environment variables say, as they do to `docker` and `podman`."""
        return cls({name: variables[name] for name in _VARIABLES if name in variables}, cache=cache)

    def name(self, tag: str) -> str:
        """Return what the engine calls an image that is given this name."""
        return podman_name(tag) if self.podman else docker_name(tag)
