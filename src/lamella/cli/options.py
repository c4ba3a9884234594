"""What several commands share: options, and the world they hand to the calls below."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar, cast

import click

from lamella.cli.registry import choices_of_registry
from lamella.errors import OutputError, UsageError
from lamella.progress import Progress

if TYPE_CHECKING:
    from lamella.api import Environment

__all__ = ["common_options", "make_environment", "resolve_created", "source_option"]

_ENGINE_VARIABLES = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_API_VERSION",
    "DOCKER_CUSTOM_HEADERS",
    "HOME",
    "CONTAINER_HOST",
    "CONTAINER_CONNECTION",
    "CONTAINER_SSHKEY",
    "CONTAINERS_CONF",
    "PODMAN_CONNECTIONS_CONF",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
)
_Function = TypeVar("_Function", bound=Callable[..., object])


def common_options(function: _Function) -> _Function:
    """Add the options that every command has."""
    options = [
        click.option(
            "-q", "--quiet", is_flag=True, help="Say nothing on standard error but errors."
        ),
        click.option(
            "-v", "--verbose", count=True, help="Say more; -vv shows where an error came from."
        ),
        click.option(
            "--progress",
            "progress_mode",
            type=click.Choice(["auto", "plain", "none"]),
            default="auto",
            show_default=True,
            help="How progress is shown: a bar on a terminal and lines elsewhere; lines; or not.",
        ),
        click.option(
            "--tmp-dir",
            metavar="DIR",
            help="Where layers go that can't be read where they are (default: TMPDIR).",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def source_option(function: _Function) -> _Function:
    """Add --source."""
    return click.option(
        "--source",
        type=click.Choice(["auto", "api", "local"]),
        default="auto",
        show_default=True,
        help="How layers of an image in an engine are read: in place where that is possible and by "
        "the engine's API elsewhere; always by the API; or in place and in no other way.",
    )(function)


def make_environment(
    tmp_dir: str | None,
    progress: Progress,
    *,
    to_stdout: bool,
    source: Literal["auto", "api", "local"] = "auto",
) -> Environment:
    """Collect what calls need from the world.

    Raises:
        OutputError: an archive would go to a terminal.
        UsageError: there is no such temporary folder.
    """
    from lamella.api import Environment  # noqa: PLC0415 - completion needs the options alone
    from lamella.transport.engine.options import EngineOptions  # noqa: PLC0415 - as above

    if tmp_dir is not None and not os.path.isdir(tmp_dir):  # noqa: PTH112 - a plain question
        raise UsageError(f"--tmp-dir {tmp_dir}: no such folder")
    if to_stdout and sys.stdout is not None and sys.stdout.isatty():
        raise OutputError("won't write an archive to a terminal; redirect it, or give -o FILE")
    found = {name: os.environ[name] for name in _ENGINE_VARIABLES if name in os.environ}
    registry = choices_of_registry()
    environment = Environment(
        tmp_dir=tmp_dir,
        progress=progress,
        engine=EngineOptions(found, source=source, cache=registry.cache),
        registry=registry,
    )
    if sys.stdin is not None:
        environment = replace(environment, stdin=sys.stdin.buffer)
    if to_stdout:
        environment = replace(environment, stdout=_open_stdout())
    return environment


def _open_stdout() -> BinaryIO:
    """Return standard output without a buffer: what can't be written is known at once."""
    if sys.stdout is None:
        raise OutputError("won't write an archive to a standard output that is closed")
    raw = io.FileIO(sys.stdout.fileno(), "w", closefd=False)
    return cast("BinaryIO", raw)


def resolve_created(choice: str | None) -> str | None:
    """Return the time of the new image: None for the source's.

    SOURCE_DATE_EPOCH counts where nothing is said: https://reproducible-builds.org/specs/source-date-epoch/

    Raises:
        UsageError: SOURCE_DATE_EPOCH is no time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if choice is None and epoch:
        try:
            return _format(datetime.fromtimestamp(int(epoch), UTC))
        except (ValueError, OverflowError, OSError):
            raise UsageError(
                f"SOURCE_DATE_EPOCH: want seconds since 1970, found {epoch!r:.60}"
            ) from None
    if choice == "now":
        return _format(datetime.now(UTC))
    return None if choice == "source" else choice


def _format(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
