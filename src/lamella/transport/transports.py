"""The one table of transports: which kind of place a reference means."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from functools import partial

from lamella.errors import FILES_NEED_NONE, Ambiguous, ImageNotFound, InvalidReference, UsageError
from lamella.nearest import nearest
from lamella.spec.reference import Reference
from lamella.transport.engine.location import EngineLocation, match_engine, parse_engine
from lamella.transport.environment import Environment
from lamella.transport.file.location import (
    FileLocation,
    archives_in,
    exists,
    is_archive_name,
    is_folder,
    is_layout,
    match_layout,
    parse_file,
)
from lamella.transport.file.name import FileFormat
from lamella.transport.location import Location, Transport
from lamella.transport.patterns import is_pattern
from lamella.transport.registry.location import match_registry, parse_registry

__all__ = ["TRANSPORTS", "expand", "locate", "parse_location"]

_HERE = ("/", "./", "../")
_FOLDERS = (".", "..", "~")
_USUAL: FileFormat = "docker-archive"
_OTHERS: Mapping[str, str] = {
    **dict.fromkeys(("containerd", "http", "https", "ostree", "sif"), ""),
    **dict.fromkeys(("file", "tar", "tarball"), _USUAL),
    "dir": "oci",
}
"""Transports of skopeo, nerdctl and others, and URLs: with ours that does most nearly the same."""


def _rest(text: str) -> str:
    return text.partition(":")[2]


TRANSPORTS: Mapping[str, Transport] = {
    "docker-archive:": Transport(lambda text, _: parse_file("docker-archive", _rest(text))),
    "oci-archive:": Transport(lambda text, _: parse_file("oci-archive", _rest(text))),
    "oci:": Transport(lambda text, _: parse_file("oci", _rest(text)), match_layout),
    "docker-daemon:": Transport(
        lambda text, _: parse_engine("docker-daemon", "docker-daemon", _rest(text)),
        partial(match_engine, "docker-daemon"),
    ),
    "podman:": Transport(
        lambda text, _: parse_engine("podman", "podman", _rest(text)),
        partial(match_engine, "podman"),
    ),
    "containers-storage:": Transport(
        lambda text, _: parse_engine("podman", "containers-storage", _rest(text)),
        partial(match_engine, "podman"),
    ),
    "docker://": Transport(
        lambda text, output: parse_registry(text, output=output), match_registry
    ),
}
"""By prefix. `docker:dind` is an image's name, `docker://dind` is not."""


def parse_location(text: str, *, output: bool = False, source: Location | None = None) -> Location:
    """Read a reference.

    Args:
        text: as in the table of ``docs/cli.md``.
        output: it is going to be written, so its file need not exist.
        source: where the image comes from, if that is known: an output of the same kind.

    Raises:
        InvalidReference: nothing can be made of it.
        UsageError: an output that could be of several kinds.
    """
    if not text:
        raise InvalidReference("empty image reference: expected NAME, FILE or TRANSPORT:…")
    if text == "-":
        return FileLocation("docker-archive" if output else "archive", "-")
    for prefix, transport in TRANSPORTS.items():
        if text.startswith(prefix):
            return transport.parse(text, output)
    _check_transport(text)
    return _plain_output(text, source) if output else _plain_input(text)


def _check_transport(text: str) -> None:
    """Refuse transports of other tools: the engine would take them for names of images."""
    head, colon, rest = text.partition(":")
    if not colon or head not in _OTHERS:
        return
    if rest.startswith("//"):
        hint = f"; for a registry: docker://{rest[2:]}"
    elif _OTHERS[head]:
        hint = f"; did you mean {_OTHERS[head]}:{rest}?"
    else:
        hint = f"; for an image of that name: docker-daemon:{text}"
    raise InvalidReference(f"unknown transport '{head}:'; known: {', '.join(TRANSPORTS)}{hint}")


def _plain_output(text: str, source: Location | None) -> Location:
    if is_layout(text):
        return FileLocation("oci", text)
    if is_archive_name(text):
        is_oci = isinstance(source, FileLocation) and source.transport in {"oci", "oci-archive"}
        return FileLocation(
            "oci-archive" if is_oci or text.lower().endswith(".oci") else _USUAL, text
        )
    if text.endswith("/"):
        raise UsageError(f"output {text!r} is a folder; for an OCI image layout give oci:{text}")
    if text.startswith(_HERE) or os.path.isfile(text):  # noqa: PTH113
        raise UsageError(
            f"can't tell the format of output {text!r}; "
            f"give docker-archive:{text}, oci-archive:{text} or oci:{text}"
        )
    a_file = FILES_NEED_NONE if ":" in text else f"for a file: {_USUAL}:{text}"
    other = _registry_hint(text) or a_file
    return EngineLocation("", text, other=other)


def _plain_input(text: str) -> Location:
    if is_layout(text):
        return FileLocation("oci", text)
    if exists(text) and not is_folder(text):
        return FileLocation("archive", text)
    is_there = is_folder(text)
    elsewhere = _strange_folder(text) if is_there else f"no file {text!r} here"
    elsewhere += _hint(text)
    is_path = text in _FOLDERS or text.startswith((*_HERE, "~")) or text.endswith("/")
    if is_path or is_archive_name(text):
        expected = "expected an image archive or an OCI image layout"
        image = "" if not _is_image_name(text) else f"; for an image: docker-daemon:{text}"
        raise ImageNotFound(f"{elsewhere}; {expected}{image}")
    return EngineLocation("", text, elsewhere)


def _strange_folder(path: str) -> str:
    """Say why a folder is no image."""
    if exists(f"{path}/manifest.json"):
        here = shlex.quote(path)
        return f"the folder {path!r} is an unpacked archive (pack it: tar -cf app.tar -C {here} .)"
    return f"the folder {path!r} is no image: it has no index.json, oci-layout or manifest.json"


def _hint(text: str) -> str:
    """Say what else may have been meant by a bare reference that nothing is found for."""
    head, colon, rest = text.partition(":")
    if colon and (is_layout(head) or os.path.isfile(head)):  # noqa: PTH113
        return f" (for an image in {head!r}: {'oci' if is_layout(head) else _USUAL}:{text})"
    if text.startswith("docker:/"):
        return f" (did you mean docker://{rest.lstrip('/')}?)"
    if hint := _registry_hint(text):
        return f" ({hint})"
    near = nearest(f"{head}:", TRANSPORTS) if colon and head != "docker" else ""  # `docker:dind`
    return f" (did you mean {near}{rest}?)" if near else ""


def _registry_hint(text: str) -> str:
    host, slash, _ = text.partition("/")
    is_host = slash and host and not text.startswith(_HERE) and not {".", ":"}.isdisjoint(host)
    return f"for a registry: docker://{text}" if is_host else ""


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
            f"give ./{text} or docker-daemon:{text}"
        )
    return location


def expand(text: str, env: Environment) -> list[str]:
    """Return the references that a pattern means, in an order that does not change.

    A folder that is no layout stands for the archives in it; what is no pattern, or the name of a
    file, stands for itself.

    Raises:
        ImageNotFound: nothing matches.
        UsageError: the pattern makes no sense.
        EngineError: the place can't be asked.
    """
    found = list(_iter_matches(text, env))
    if not found:
        raise ImageNotFound(f"no image matches {text!r}")
    return found


def _iter_matches(text: str, env: Environment) -> Iterator[str]:
    if is_folder(text) and not is_layout(text):
        return archives_in(text)
    if not is_pattern(text) or exists(text):
        return iter([text])
    for prefix, transport in TRANSPORTS.items():
        if transport.match is not None and text.startswith(prefix):
            return (prefix + found for found in transport.match(text.removeprefix(prefix), env))
    *others, last = (prefix for prefix, one in TRANSPORTS.items() if one.match is not None)
    raise UsageError(
        f"pattern {text!r}: expected a transport before it: {', '.join(others)} or {last}; names "
        "of files are for the shell to expand"
    )


def _is_image_name(text: str) -> bool:
    try:
        Reference.parse(text)
    except InvalidReference:
        return False
    return True
