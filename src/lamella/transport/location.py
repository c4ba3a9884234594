"""References: where an image is, and what it is called there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from lamella.errors import InvalidReference, UsageError
from lamella.transport.registry.name import PREFIX, RegistryName

__all__ = ["Location", "parse_location"]

_FILES = ("docker-archive", "oci-archive", "oci")
_ENGINES = {"docker-daemon": "docker-daemon", "podman": "podman", "containers-storage": "podman"}
_LAYOUT_MARKS = ("oci-layout", "index.json")
_HERE = ("/", "./", "../")
_ARCHIVE_NAME = re.compile(r".*\.(tar(\.(gz|zst|xz|bz2))?|tgz|oci)")


@dataclass(frozen=True)
class Location:
    """A place and a name in it."""

    transport: str
    """``docker-daemon``, ``podman``, ``docker`` (a registry), ``docker-archive``, ``oci``,
    ``oci-archive``, ``archive`` (a file, or a stream, that tells what it is when it is opened) or
    ``plain`` (not said)."""
    path: str
    """File or folder, ``-`` for a stream, or the image's name."""
    tag: str = ""
    """Which image of an archive or layout."""

    def __str__(self) -> str:
        """Return what a user would type."""
        tag = f":{self.tag}" if self.tag else ""
        if self.transport == "docker":
            return f"{PREFIX}{self.path}"
        bare = self.transport in {"archive", "plain"}
        return f"{self.path}{tag}" if bare else f"{self.transport}:{self.path}{tag}"


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
        return Location("docker-archive" if output else "archive", "-")
    transport, colon, rest = text.partition(":")
    if colon and transport in _FILES:
        return Location(transport, *_split_tag(transport, rest))
    if colon and transport in _ENGINES:
        return Location(_ENGINES[transport], _image_name(text, transport, rest))
    if text.startswith(PREFIX):  # `docker:dind` is an image's name, `docker://dind` is not
        parse = RegistryName.parse_tag if output else RegistryName.parse
        parse(text)
        return Location("docker", text.removeprefix(PREFIX))
    if output:
        return _plain_output(text)
    return _plain_input(text)


def _image_name(text: str, transport: str, rest: str) -> str:
    if rest.startswith("["):
        raise InvalidReference(
            f"{text!r}: want {transport}:NAME; which storage, CONTAINERS_STORAGE_CONF says"
        )
    if not rest:
        raise InvalidReference(f"{text!r}: want {transport}:NAME")
    return rest


def _split_tag(transport: str, rest: str) -> tuple[str, str]:
    """Split ``FILE[:TAG]``; a file that exists under the whole name has no tag."""
    if not rest or rest.startswith(":"):
        raise InvalidReference(
            f"'{transport}:{rest}': want {transport}:FILE or {transport}:FILE:TAG"
        )
    if rest.partition(":")[0] == "-" and transport == "oci":
        raise InvalidReference(
            f"'{transport}:{rest}': a folder can't go through a pipe; want oci-archive:-"
        )
    if _exists(rest):
        return rest, ""
    at = rest.find(":")
    while at > 0:
        if _exists(rest[:at]):
            return rest[:at], rest[at + 1 :]
        at = rest.find(":", at + 1)
    head, _, tag = rest.partition(":")
    return head, tag


def _plain_output(text: str) -> Location:
    if _is_layout(text):
        return Location("oci", text)
    if _ARCHIVE_NAME.fullmatch(text) or text.startswith(_HERE) or os.path.isfile(text):  # noqa: PTH113
        raise UsageError(
            f"output {text!r} could be a docker-archive or an OCI layout; "
            f"give docker-archive:{text}, oci-archive:{text} or oci:{text}"
        )
    return Location("plain", text)


def _exists(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists() fails for a name that is too long


def _is_layout(path: str) -> bool:
    return any(_exists(f"{path}/{mark}") for mark in _LAYOUT_MARKS)


def _plain_input(text: str) -> Location:
    if _is_layout(text):
        return Location("oci", text)
    is_folder = os.path.isdir(text)  # noqa: PTH112 - as in `_exists`
    if _exists(text) and not is_folder:
        return Location("archive", text)
    if text.startswith((*_HERE, "~")):
        what = "is no OCI image layout" if is_folder else "does not exist"
        raise InvalidReference(
            f"{text!r} {what}; want an image archive or layout, or an image name"
        )
    return Location("plain", text)
