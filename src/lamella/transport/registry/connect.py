"""Registries that all share who use one environment."""

from __future__ import annotations

from lamella.transport.environment import Environment
from lamella.transport.registry.client import Registry

__all__ = ["registry_of"]


def registry_of(host: str, env: Environment) -> Registry:
    """Return the client of a registry; nothing is sent yet."""
    return env.connections.get((host, env.registry), lambda: Registry(host, env.registry))
