"""Options of the commands that may meet a registry, and what they and the environment say of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lamella.transport.registry.options import RegistryOptions

__all__ = ["choices_of_registry", "registry_options"]

_KEY = "lamella.registry"
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
_Function = TypeVar("_Function", bound=Callable[..., object])


def registry_options(function: _Function) -> _Function:
    """Add the options about registries; `choices_of_registry` has their values."""
    options = [
        click.option(
            "--authfile",
            metavar="FILE",
            callback=_keep,
            expose_value=False,
            help="Credentials for registries, asked before those of docker login and podman login.",
        ),
        click.option(
            "--tls-verify",
            type=bool,
            default=True,
            metavar="true|false",
            callback=_keep,
            expose_value=False,
            help="Whether a registry must prove who it is (default: true).",
        ),
        click.option(
            "--ca",
            metavar="FILE",
            callback=_keep,
            expose_value=False,
            help="Certificates of further authorities that may vouch for a registry.",
        ),
        click.option(
            "--insecure",
            is_flag=True,
            callback=_keep,
            expose_value=False,
            help="Speak to a registry without TLS if it has none; on this machine that is allowed.",
        ),
        click.option(
            "--no-cache",
            is_flag=True,
            callback=_keep,
            expose_value=False,
            help="Remember nothing of what lies below the squashed layers.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    context.meta.setdefault(_KEY, {})[parameter.name] = value


def choices_of_registry() -> RegistryOptions:
    """Return what the command line and the environment say of registries."""
    from lamella.transport.registry.options import RegistryOptions  # noqa: PLC0415 - as api

    context = click.get_current_context(silent=True)
    given: dict[str, Any] = context.meta.get(_KEY, {}) if context is not None else {}
    given = dict(given)
    found = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    cache = None if given.pop("no_cache", False) else _cache_folder()
    run = f"/run/containers/{os.getuid()}" if sys.platform == "linux" else None
    return RegistryOptions(found, cache=cache, certs=_certificates(), run_folder=run, **given)


def _certificates() -> tuple[str, ...]:
    """Return where Podman, skopeo and Docker look for the certificates of registries."""
    home = os.environ.get("HOME")
    own = (f"{home}/.config/containers/certs.d",) if home else ()
    return (*own, "/etc/containers/certs.d", "/etc/docker/certs.d")


def _cache_folder() -> str | None:
    """Return where listings are kept: https://specifications.freedesktop.org/basedir-spec/latest/."""
    home = os.environ.get("HOME")
    folder = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    return f"{folder}/lamella/listings" if folder.startswith("/") else None
