"""``lamella ls``."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

import click

from lamella.cli.completion import complete_image, complete_layer, complete_path
from lamella.cli.headings import HeadedCommand
from lamella.cli.inside import open_told
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import json_option, platform_option
from lamella.cli.terminal import say, say_json

if TYPE_CHECKING:
    from lamella.inside.file import File
    from lamella.inside.image import OpenImage

__all__ = ["command"]

_AT_ONCE = 1000
"""Lines that are printed in one go."""


@click.command("ls", short_help="list files of an image", cls=HeadedCommand)
@click.argument("image", shell_complete=complete_image)
@click.argument("path", default="/", shell_complete=complete_path)
@click.option("-R", "--recursive", is_flag=True, help="List subdirectories, too, with full paths.")
@click.option(
    "--layer",
    metavar="LAYER",
    shell_complete=complete_layer,
    help="List only what this layer adds or deletes.",
)
@json_option()
@platform_option()
@image_session
def command(
    image: str,
    path: str,
    recursive: bool,
    layer: str | None,
    as_json: bool,
    platform: str | None,
    session: Session,
) -> int:
    """List PATH in IMAGE, like `ls -l`: mode, owner, size, time, name, link target.

    For a directory, its content is listed. Symlinks to directories are followed. Times are in UTC.
    Nothing is unpacked to disk, and no container is started.

    \b
      lamella ls app:latest /etc
      lamella ls -R docker-archive:app.tar /usr/lib
      lamella ls app:latest --layer 3 -R
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella.report import files as report  # noqa: PLC0415 - completion needs the options alone

    with session.open() as env, open_told(image, platform, env) as inside:
        one = None if layer is None else inside.layer(layer)
        if one is None:
            found, listed = _in_image(inside, path, recursive=recursive)
        else:
            found, listed = one.at(os.fsencode(path), recursive=recursive)
        if as_json:
            say_json(
                report.to_json(image, str(inside.id), path, one.position if one else None, found)
            )
        else:
            lines = report.file_lines(found, whole=recursive or not listed)
            while some := list(islice(lines, _AT_ONCE)):
                say(*some)
    return 0


def _in_image(inside: OpenImage, path: str, *, recursive: bool) -> tuple[list[File], bool]:
    """Return what there is at a path, and whether that is a directory's content."""
    from lamella.errors import NoSuchFile  # noqa: PLC0415 - as above

    at = os.fsencode(path)
    found = inside.stat(at, follow_symlinks=False)
    if found.type == "symlink":
        try:
            target = inside.stat(at)
        except NoSuchFile:  # it leads nowhere: what is there is the link
            return [found], False
        if target.type != "directory":
            return [found], False
    elif found.type != "directory":
        return [found], False
    return list(inside.folder(at, recursive=recursive)), True
