"""What a shell offers for an image or a layer, as far as it can be had at once.

Nothing here may fail or take long: who presses Tab wants words, or nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from lamella.report.text import printable

if TYPE_CHECKING:
    from lamella.api import Environment

__all__ = [
    "complete_file",
    "complete_folder",
    "complete_image",
    "complete_layer",
    "complete_output",
    "complete_path",
]

_FILES = ("docker-archive:", "oci-archive:", "oci:")
_ENGINE = "docker-daemon:"
_REMOTE = ("docker://", "podman:", "containers-storage:", "-")
_SHORT = 12
_QUICK = 32 << 20
"""Bytes of layers that are unpacked in no time."""
_PLAIN = re.compile(r"[\w.:/@+~,=%^ -]+")
_SUFFIXES = (".tar", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".tgz", ".oci")


def complete_image(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer archives and layouts at hand, and the images of the Docker engine."""
    del context, parameter
    for prefix in _FILES:
        if incomplete.startswith(prefix):
            found = _paths(incomplete.removeprefix(prefix), wanted=_any_file)
            return [CompletionItem(prefix + path) for path in found if _is_plain(path)]
    if incomplete.startswith(_ENGINE):
        names = _names(incomplete.removeprefix(_ENGINE))
        return [CompletionItem(_ENGINE + name) for name in names if _is_plain(name)]
    words = filter(_is_plain, (*_paths(incomplete, _looks_like), *_names(incomplete)))
    return [CompletionItem(word) for word in words]


def complete_output(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer what an image may be written to: as for an image, but any file may be replaced."""
    prefixed = incomplete.startswith((*_FILES, _ENGINE))
    complete = complete_image if prefixed else complete_file
    return complete(context, parameter, incomplete)


def complete_file(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer files, and folders that lead on; after ``FORMAT=``, too."""
    del context, parameter
    head, equals, path = incomplete.rpartition("=")
    found = _paths(path, Path.is_file)
    return [CompletionItem(head + equals + name) for name in found if _is_plain(name)]


def complete_folder(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer folders."""
    del context, parameter
    return [CompletionItem(name) for name in _paths(incomplete, _nothing) if _is_plain(name)]


def complete_layer(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the layers of IMAGE by number, and by the ID that was begun.

    Nothing is offered where it takes time to ask.
    """
    del parameter
    # An option that waits for its value leaves the words before it unread.
    image = context.params.get("image") or next(iter(context.args), "")
    if not image or image.startswith(_REMOTE):
        return []
    with suppress(Exception):
        from lamella import api  # noqa: PLC0415 - only who completes a layer has to wait for it

        with api.open_layers(image, env=_environment()) as (_, lines):
            layers = [(line.id.removeprefix("sha256:")[:_SHORT], line) for line in lines]
        words = [(str(line.number), f"{short} {line.command}") for short, line in layers]
        words += [(short, line.command) for short, line in layers if incomplete]
        return [
            CompletionItem(word, help=printable(about))
            for word, about in words
            if word.startswith(incomplete)
        ]
    return []


def complete_path(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer what is in IMAGE, directory by directory, unless it takes time to read it."""
    del parameter
    image = context.params.get("image") or next(iter(context.args), "")
    if not image or image.startswith(_REMOTE):
        return []
    with suppress(Exception):
        from lamella import api  # noqa: PLC0415 - as for layers
        from lamella.operations.analyze import is_all_near  # noqa: PLC0415 - as for layers

        folder, slash, start = incomplete.rpartition("/")
        with api.open_image(image, env=_environment()) as inside:
            stored = sum(layer.blob.size for layer in inside.layers)
            if stored > _QUICK and not is_all_near(inside):
                return []
            found = [
                (file.path.rpartition("/")[2], "/" if file.type == "directory" else "")
                for file in inside.folder(folder)
            ]
        words = [folder + slash + name + end for name, end in found if name.startswith(start)]
        return [CompletionItem(word) for word in words if _is_plain(word)]
    return []


def _is_plain(word: str) -> bool:
    """Whether a shell takes a word as it is: names of others may be commands to it."""
    return bool(_PLAIN.fullmatch(word)) and word.isprintable()


def _paths(incomplete: str, wanted: Callable[[Path], bool]) -> Iterator[str]:
    """Yield what begins so: folders that lead on end in a slash."""
    folder, _, start = incomplete.rpartition("/")
    where = Path(f"{folder}/" if "/" in incomplete else ".")
    with suppress(OSError, RuntimeError):  # no such home
        where = where.expanduser()
        for path in sorted(where.iterdir()):
            if path.name.startswith(start) and not (path.name[0] == "." and not start):
                shown = os.path.join(folder, path.name) if "/" in incomplete else path.name  # noqa: PTH118 - a slash too many would show
                if wanted(path):
                    yield shown
                elif path.is_dir():
                    yield f"{shown}/"


def _nothing(path: Path) -> bool:
    del path
    return False


def _any_file(path: Path) -> bool:
    return path.is_file() or _is_layout(path)


def _looks_like(path: Path) -> bool:
    return (path.is_file() and path.name.endswith(_SUFFIXES)) or _is_layout(path)


def _is_layout(path: Path) -> bool:
    return (path / "oci-layout").is_file()


def _names(incomplete: str) -> list[str]:
    if incomplete.startswith(("/", "./", "../")):
        return []
    with suppress(Exception):
        from lamella import api  # noqa: PLC0415 - as above

        return [name for name in api.image_names(_environment()) if name.startswith(incomplete)]
    return []


def _environment() -> Environment:
    from lamella.transport.environment import Environment  # noqa: PLC0415 - as above

    return Environment.from_env()
