"""``lamella export``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from lamella.cli.completion import complete_file, complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.inside import open_told
from lamella.cli.page import STDOUT
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import platform_option
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.api import Environment
    from lamella.inside.export import FlatTar

__all__ = ["command"]

_TRANSPORTS = frozenset({"docker-archive", "oci-archive", "oci"})
"""Transports of images: a tar of files is not one of them."""


@click.command("export", short_help="write the files of an image as one tar", cls=HeadedCommand)
@click.argument("image", shell_complete=complete_image)
@click.option(
    "-o",
    "--output",
    shell_complete=complete_file,
    metavar="FILE",
    default=STDOUT,
    help="Output file (default: -, standard output).",
)
@platform_option()
@image_session
def command(image: str, output: str, platform: str | None, session: Session) -> int:
    """Write all files of IMAGE as one tar, as `docker export` would do for a new container.

    The tar contains what a container sees: hard links, owners, times, devices and extended
    attributes (as PAX records), and no deletions. The same image gives the same bytes. An output
    file is complete or absent. If the output is a pipe, a damaged layer is reported at the end, by
    the exit code.

    \b
      lamella export app:latest | tar -x -C rootfs
      lamella export docker-archive:app.tar -o rootfs.tar
    """  # noqa: D301 - the mark is click's: lines stay as they are
    if not output:
        raise UsageError("-o: expected a file name or -, got nothing")
    head, colon, name = output.partition(":")
    if colon and head in _TRANSPORTS:
        raise UsageError(f"-o: expected a file name, got a transport; try {name} or ./{output}")
    with session.open(to_stdout=output == STDOUT) as env, ExitStack() as stack:
        file, commit = _open_output(output, env, stack)
        with open_told(image, platform, env) as inside:
            _write(inside.export(), file, output, env)
        commit()
    return 0


def _open_output(
    output: str, env: Environment, stack: ExitStack
) -> tuple[BinaryIO, Callable[[], None]]:
    """Open it before anything is read; return what ends it well."""
    from lamella.transport.file.atomic import AtomicFile  # noqa: PLC0415 - completion needs the options alone

    if output == STDOUT:
        if env.stdout is None:
            raise UsageError("there is no standard output; give -o FILE")
        return env.stdout, lambda: None
    atomic = stack.enter_context(AtomicFile(Path(output)))
    return atomic.file, atomic.commit


def _write(tar: FlatTar, file: BinaryIO, output: str, env: Environment) -> None:
    from lamella.files import write_all  # noqa: PLC0415 - as above
    from lamella.transport.file.atomic import writing  # noqa: PLC0415 - as above

    where = "standard output" if output == STDOUT else output

    def write(chunk: memoryview) -> None:
        with writing(where):
            write_all(file, chunk)
        env.progress.advance(len(chunk))

    env.progress.phase("write the files", tar.size)
    tar.write_to(write)
