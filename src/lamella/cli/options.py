"""What several commands share: options, and the world they hand to the calls below."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO, TypeVar, cast

import click

from lamella.api import Environment
from lamella.errors import OutputError, UsageError
from lamella.progress import Progress
from lamella.transport.engine import EngineOptions

__all__ = ["common_options", "make_environment", "resolve_created"]

_ENGINE_VARIABLES = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "HOME",
)
_Function = TypeVar("_Function", bound=Callable[..., object])


def common_options(function: _Function) -> _Function:
    """Add the options that every command has."""
    options = [
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option(
            "-v", "--verbose", count=True, help="Say more; -vv shows where an error came from."
        ),
        click.option(
            "--progress",
            "progress_mode",
            type=click.Choice(["auto", "plain", "none"]),
            default="auto",
            show_default=True,
            help="A bar on a terminal and lines elsewhere, always lines, or nothing.",
        ),
        click.option(
            "--tmp-dir",
            metavar="DIR",
            help="Where layers are unpacked to when they must be (default: TMPDIR).",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def make_environment(tmp_dir: str | None, progress: Progress, *, to_stdout: bool) -> Environment:
    """Collect what calls need from the world.

    Raises:
        OutputError: an archive would go to a terminal.
        UsageError: there is no such temporary folder.
    """
    if tmp_dir is not None and not os.path.isdir(tmp_dir):  # noqa: PTH112 - a plain question
        raise UsageError(f"--tmp-dir {tmp_dir}: no such folder")
    if to_stdout and sys.stdout.isatty():
        raise OutputError("won't write an archive to a terminal; redirect it, or give -o FILE")
    found = {name: os.environ[name] for name in _ENGINE_VARIABLES if name in os.environ}
    stdout = os.fdopen(os.dup(1), "wb", buffering=0) if to_stdout else sys.stdout.buffer
    return Environment(
        tmp_dir=tmp_dir,
        progress=progress,
        stdin=sys.stdin.buffer,
        stdout=cast("BinaryIO", stdout),
        engine=EngineOptions(found),
    )


def resolve_created(choice: str | None) -> str | None:
    """Return the time of the new image: None for the source's.

    SOURCE_DATE_EPOCH counts where nothing is said: https://reproducible-builds.org/specs/source-date-epoch/

    Raises:
        UsageError: the choice is no time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if choice is None and epoch:
        if not epoch.isdecimal():
            raise UsageError(f"SOURCE_DATE_EPOCH: want seconds since 1970, found {epoch!r}")
        return _format(datetime.fromtimestamp(int(epoch), UTC))
    if choice is None or choice == "source":
        return None
    if choice == "now":
        return _format(datetime.now(UTC))
    try:
        datetime.fromisoformat(choice)
    except ValueError:
        raise UsageError(
            f"--created {choice!r}: want source, now or a time like 2026-01-31T12:00:00Z"
        ) from None
    return choice


def _format(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
