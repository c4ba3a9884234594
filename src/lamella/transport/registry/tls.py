"""Whom we trust, and our own certificates."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import urllib3
from urllib3.exceptions import InsecureRequestWarning

from lamella.errors import EngineError, UsageError
from lamella.transport.registry.options import RegistryOptions

__all__ = ["tls_context"]


def tls_context(options: RegistryOptions, host: str) -> ssl.SSLContext:
    """Return how to speak TLS to a registry, and to where it sends us.

    Raises:
        UsageError: the file of `ca` can't be used.
        EngineError: a certificate for the registry can't.
    """
    files = _certificates([Path(folder) / host for folder in options.certs])
    if options.ca is None and not files and options.tls_verify:
        return _system_context()
    context = ssl.create_default_context()
    if options.ca is not None:
        try:
            context.load_verify_locations(options.ca)
        except OSError as error:
            what = error.strerror or "no certificates"
            raise UsageError(f"`ca` {options.ca}: {what}") from error
    _load(context, files)
    if not options.tls_verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # it is what was asked for
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@cache
def _system_context() -> ssl.SSLContext:
    """Return how to speak TLS to whom this machine trusts.

    All registries share it: to read the certificates of a hundred authorities takes some 40 ms.
    """
    return ssl.create_default_context()


def _certificates(folders: Sequence[Path]) -> list[Path]:
    """Return what the first of the folders that is there has for a registry.

    https://github.com/containers/image/blob/main/docs/containers-certs.d.5.md
    """
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            return sorted(folder.iterdir())
    return []


def _load(context: ssl.SSLContext, files: Sequence[Path]) -> None:
    """Trust certificates (.crt); have those with a key (.cert, .key) at hand."""
    for file in files:
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":  # without a password, which would be asked for
                context.load_cert_chain(file, file.with_suffix(".key"), password="")
        except OSError as error:
            key = f" and {file.with_suffix('.key').name}" if file.suffix == ".cert" else ""
            what = error.strerror or "makes no sense"
            raise EngineError(f"can't use {file}{key}: {what}") from error
