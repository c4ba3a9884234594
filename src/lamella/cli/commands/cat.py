"""``lamella cat``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import click

from lamella.cli.completion import complete_image, complete_path
from lamella.cli.headings import HeadedCommand
from lamella.cli.inside import open_told
from lamella.cli.paint import on_terminal
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import platform_option
from lamella.cli.terminal import say

if TYPE_CHECKING:
    from lamella.inside.image import OpenImage

__all__ = ["command"]

_CHUNK = 1 << 18


@click.command("cat", short_help="write files of an image to standard output", cls=HeadedCommand)
@click.argument("image", shell_complete=complete_image)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=complete_path)
@platform_option()
@image_session
def command(image: str, paths: tuple[str, ...], platform: str | None, session: Session) -> int:
    """Write the content of each PATH in IMAGE to standard output, one after the other.

    Symlinks are followed inside the image. The layers are checked against their digests before
    anything is written. If a PATH is not a file, nothing is written. On a terminal, control
    characters are escaped; to a file or a pipe, bytes are written unchanged.

    \b
      lamella cat app:latest /etc/os-release
      lamella cat docker-archive:app.tar usr/bin/tool > tool
    """  # noqa: D301 - the mark is click's: lines stay as they are
    to_terminal = on_terminal()
    with (
        session.open(to_stdout=not to_terminal) as env,
        open_told(image, platform, env) as inside,
    ):
        # All of them are looked for before the first one is written.
        for path in paths:
            inside.open(os.fsencode(path)).close()
        for path in paths:
            if to_terminal or env.stdout is None:
                _show(inside, path)
            else:
                _write(inside, path, env.stdout)
    return 0


def _chunks(inside: OpenImage, path: str) -> Iterator[bytes]:
    with inside.open(os.fsencode(path)) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _show(inside: OpenImage, path: str) -> None:
    from lamella.report.files import content_lines  # noqa: PLC0415 - completion needs the options alone

    for line in content_lines(_chunks(inside, path)):
        say(line)


def _write(inside: OpenImage, path: str, out: BinaryIO) -> None:
    from lamella.errors import OutputError  # noqa: PLC0415 - as above
    from lamella.files import write_all  # noqa: PLC0415 - as above

    for chunk in _chunks(inside, path):
        try:
            write_all(out, chunk)
        except BrokenPipeError:
            raise  # who reads it has seen enough
        except OSError as error:
            raise OutputError(f"can't write standard output: {error.strerror or error}") from error
