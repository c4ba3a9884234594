"""What several commands share: options, and the world they hand to the calls below."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

import click

from lamella.cli.registry import Function, choices_of_registry
from lamella.errors import OutputError, UsageError
from lamella.progress import Progress

if TYPE_CHECKING:
    from lamella.transport.environment import Environment

__all__ = ["common_options", "make_environment", "source_option"]


def common_options(function: Function) -> Function:
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


def source_option(function: Function) -> Function:
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
    from lamella.transport.environment import Environment  # noqa: PLC0415 - completion needs the options alone

    if tmp_dir is not None and not os.path.isdir(tmp_dir):  # noqa: PTH112 - a plain question
        raise UsageError(f"--tmp-dir {tmp_dir}: no such folder")
    if to_stdout and sys.stdout is not None and sys.stdout.isatty():
        raise OutputError("won't write an archive to a terminal; redirect it, or give -o FILE")
    found = Environment.from_env()
    registry = choices_of_registry(found.registry)
    environment = replace(
        found,
        tmp_dir=tmp_dir,
        progress=progress,
        engine=replace(found.engine, source=source, cache=registry.cache),
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
