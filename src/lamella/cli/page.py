"""Writes the page of an analysis."""

from __future__ import annotations

from pathlib import Path

from lamella.cli.terminal import say_whole

__all__ = ["STDOUT", "write_page"]

STDOUT = "-"


def write_page(path: str, page: str) -> None:
    """Write a page to a file, which is whole or not there, or to standard output.

    Raises:
        OutputError: it can't be written there.
    """
    from lamella.files import write_all  # noqa: PLC0415 - few pages are written
    from lamella.transport.file.atomic import AtomicFile, writing  # noqa: PLC0415 - as above

    if path == STDOUT:
        say_whole(page)
        return
    with AtomicFile(Path(path)) as out:
        with writing(path):
            write_all(out.file, page.encode())
        out.commit()
