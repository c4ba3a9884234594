"""Options of the commands that may meet a registry, and what they and the environment say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lamella.transport.registry.options import RegistryOptions

__all__ = ["Function", "choices_of_registry", "registry_options"]

_KEY = "lamella.registry"
Function = TypeVar("Function", bound=Callable[..., object])


def registry_options(function: Function) -> Function:
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


def choices_of_registry(found: RegistryOptions) -> RegistryOptions:
    """Return what the command line says of registries, and else what the environment says."""
    context = click.get_current_context(silent=True)
    given: dict[str, Any] = context.meta.get(_KEY, {}) if context is not None else {}
    given = dict(given)
    if given.pop("no_cache", False):
        given["cache"] = None
    return replace(found, **given)
