"""``lamella explore``."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from lamella.cli.completion import complete_image
from lamella.cli.options import common_options, make_environment, source_option
from lamella.cli.progress import make_reporter
from lamella.cli.registry import registry_options
from lamella.cli.signals import signals
from lamella.cli.terminal import say
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.analysis.model import Saving
    from lamella.api import Environment
    from lamella.cli.explore.app import ExploreApp
    from lamella.operations.result import Result
    from lamella.progress import Progress

__all__ = ["command", "make_app"]


@click.command("explore", short_help="walk through an image: layers, files, what a squash saves")
@click.argument("image", shell_complete=complete_image)
@click.option(
    "--platform",
    metavar="OS/ARCH[/V]",
    help="Which one of an image for several (default: this machine's).",
)
@registry_options
@source_option
@common_options
def command(
    image: str,
    platform: str | None,
    source: Literal["auto", "api", "local"],
    quiet: bool,
    verbose: int,
    progress_mode: str,
    tmp_dir: str | None,
) -> None:
    """Walk through IMAGE on the terminal: its layers, their files, what each squash would save.

    Layers are on the left, files of the layer (or of the image) on the right. Space marks a range,
    s squashes it and proves the result, ? tells all keys.

    \b
      lamella explore app:latest
      lamella explore docker-archive:app.tar
    """  # noqa: D301 - the mark is click's: lines stay as they are
    _check(image)
    from lamella.report.text import summary  # noqa: PLC0415 - completion needs the options alone

    with make_reporter(progress_mode, quiet=quiet, verbose=verbose) as reporter:
        env = make_environment(tmp_dir, reporter, to_stdout=False, source=source)
        app = make_app(image, platform, env)
    try:
        app.run()
    finally:
        signals.heed_again()  # the screen had them
    for result in app.results:
        say(*summary(result))
    if app.failure is not None:
        raise app.failure
    if app.interrupted:
        raise KeyboardInterrupt


def make_app(image: str, platform: str | None, env: Environment) -> ExploreApp:
    """Analyze an image; return the screen that shows it.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    from lamella import api  # noqa: PLC0415 - as above

    explored = api.explore(image, platform=platform, env=env)
    from lamella.cli.explore.app import ExploreApp  # noqa: PLC0415 - a quarter of a second
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    def squash(saving: Saving, tag: str, output: str, progress: Progress) -> Result:
        return api.squash(
            image,
            tag=[tag] if tag else [],
            layers=[f"{saving.first}-{saving.last}"],
            output=output or None,
            platform=platform,
            check=True,
            env=replace(env, progress=progress),
        )

    return ExploreApp(explored, squash, parse_location(image).suggest())


def _check(image: str) -> None:
    """See to it that there is somebody to show it to.

    Raises:
        UsageError: there isn't.
    """
    if image == "-":
        raise UsageError("explore - can't work: standard input has the keys; save it to a file")
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if all(stream is not None and stream.isatty() for stream in streams):
        if os.environ.get("TERM", "dumb") != "dumb":
            return
        missing = "a terminal that can do more than TERM=dumb says"
    else:
        missing = "a terminal"
    raise UsageError(
        f"explore needs {missing}; `lamella analyze` and `lamella layers` tell the same in lines"
    )
