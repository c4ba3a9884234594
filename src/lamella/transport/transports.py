"""The one table of transports: which kind of place a reference means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from lamella.errors import Ambiguous, InvalidReference, UsageError
from lamella.spec.reference import Reference
from lamella.transport.engine.location import EngineLocation, parse_engine
from lamella.transport.environment import Environment
from lamella.transport.file.location import FileLocation, exists, parse_file
from lamella.transport.location import Location
from lamella.transport.registry.location import parse_registry

__all__ = ["TRANSPORTS", "locate", "parse_location"]

_Parse = Callable[[str, bool], Location]
"""Reads a whole reference; whether it is going to be written, so that it need not exist."""

_LAYOUT_MARKS = ("oci-layout", "index.json")
_HERE = ("/", "./", "../")
_ARCHIVE_NAME = re.compile(r".*\.(tar(\.(gz|zst|xz|bz2))?|tgz|oci)")


def _rest(text: str) -> str:
    return text.partition(":")[2]


TRANSPORTS: Mapping[str, _Parse] = {
    "docker-archive:": lambda text, _: parse_file("docker-archive", _rest(text)),
    "oci-archive:": lambda text, _: parse_file("oci-archive", _rest(text)),
    "oci:": lambda text, _: parse_file("oci", _rest(text)),
    "docker-daemon:": lambda text, _: parse_engine("docker-daemon", "docker-daemon", _rest(text)),
    "podman:": lambda text, _: parse_engine("podman", "podman", _rest(text)),
    "containers-storage:": lambda text, _: parse_engine(
        "podman", "containers-storage", _rest(text)
    ),
    "docker://": lambda text, output: parse_registry(text, output=output),
}
"""By prefix. `docker:dind` is an image's name, `docker://dind` is not."""


def parse_location(text: str, *, output: bool = False) -> Location:
    """Read a reference.

    Args:
        text: as in the table of ``docs/cli.md``.
        output: it is going to be written, so its file need not exist.

    Raises:
        InvalidReference: nothing can be made of it.
        UsageError: an output that could be of several kinds.
    """
    if not text:
        raise InvalidReference("an empty image reference; want NAME, FILE or TRANSPORT:…")
    if text == "-":
        return FileLocation("docker-archive" if output else "archive", "-")
    for prefix, parse in TRANSPORTS.items():
        if text.startswith(prefix):
            return parse(text, output)
    return _plain_output(text) if output else _plain_input(text)


def _plain_output(text: str) -> Location:
    if _is_layout(text):
        return FileLocation("oci", text)
    if _ARCHIVE_NAME.fullmatch(text) or text.startswith(_HERE) or os.path.isfile(text):  # noqa: PTH113
        raise UsageError(
            f"output {text!r} could be a docker-archive or an OCI layout; "
            f"give docker-archive:{text}, oci-archive:{text} or oci:{text}"
        )
    return EngineLocation("", text)


def _plain_input(text: str) -> Location:
    if _is_layout(text):
        return FileLocation("oci", text)
    is_folder = os.path.isdir(text)  # noqa: PTH112 - as in `exists`
    if exists(text) and not is_folder:
        return FileLocation("archive", text)
    if text.startswith((*_HERE, "~")):
        what = "is no OCI image layout" if is_folder else "does not exist"
        raise InvalidReference(
            f"{text!r} {what}; want an image archive or layout, or an image name"
        )
    return EngineLocation("", text)


def _is_layout(path: str) -> bool:
    return any(exists(f"{path}/{mark}") for mark in _LAYOUT_MARKS)


def locate(text: str, env: Environment) -> Location:
    """Return the place that a reference to an existing image means.

    Raises:
        Ambiguous: it has no prefix, and is both a file here and an image of the engine.
        UsageError: nothing can be made of it.
    """
    location = parse_location(text)
    bare = isinstance(location, FileLocation) and location.path == text
    if bare and _is_image_name(text) and EngineLocation("", text).has_image(env):
        raise Ambiguous(
            f"{text!r} is a file here and an image in the Docker engine; "
            f"say ./{text} or docker-daemon:{text}"
        )
    return location


def _is_image_name(text: str) -> bool:
    try:
        Reference.parse(text)
    except InvalidReference:
        return False
    return True
