"""``lamella explore``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from lamella.cli.completion import complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import platform_option
from lamella.cli.signals import signals
from lamella.cli.terminal import say
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.api import Environment
    from lamella.cli.explore.app import ExploreApp
    from lamella.operations.analyze import Explored

__all__ = ["command", "make_app"]


@click.command("explore", short_help="browse the layers and files of an image", cls=HeadedCommand)
@click.argument("image", shell_complete=complete_image)
@platform_option()
@image_session
def command(
    image: str,
    platform: str | None,
    session: Session,
) -> None:
    """Browse IMAGE on the terminal: its layers, their files, and what each squash would save.

    Layers are on the left, files of the layer (or of the image) on the right. Space marks a range,
    s squashes it and verifies the result, v views a file, x saves it, e marks it to be left out of
    the squash, ? lists all keys.

    \b
      lamella explore app:latest
      lamella explore docker-archive:app.tar
    """  # noqa: D301 - the mark is click's: lines stay as they are
    _check(image)
    from lamella.report.text import summary  # noqa: PLC0415 - completion needs the options alone

    with ExitStack() as stack:
        with session.open() as env:
            app = stack.enter_context(make_app(image, platform, env))
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


@contextmanager
def make_app(image: str, platform: str | None, env: Environment) -> Iterator[ExploreApp]:
    """Analyze an image; give the screen that shows it, which reads files of it meanwhile.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    from lamella import api  # noqa: PLC0415 - as above

    with api.explore(image, platform=platform, env=env) as explored:
        yield _make_app(image, platform, env, explored)


def _make_app(image: str, platform: str | None, env: Environment, explored: Explored) -> ExploreApp:
    from lamella.cli.explore.app import ExploreApp  # noqa: PLC0415 - a quarter of a second
    from lamella.cli.explore.squashing import Squasher  # noqa: PLC0415 - as above
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    squasher = Squasher(image, platform, env)
    suggestion = parse_location(image).suggest(explored.analysis.tags)
    return ExploreApp(explored, squasher, suggestion)


def _check(image: str) -> None:
    """Check that there is a terminal to show it on.

    Raises:
        UsageError: there isn't.
    """
    if image == "-":
        raise UsageError("explore reads keys from standard input; save the image to a file")
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if all(stream is not None and stream.isatty() for stream in streams):
        if os.environ.get("TERM", "dumb") != "dumb":
            return
        missing = "a terminal that can do more than TERM=dumb says"
    else:
        missing = "a terminal"
    raise UsageError(
        f"explore needs {missing}; `lamella analyze` and `lamella layers` print the data as text"
    )
