"""Which place a reference means: the one list of sources and destinations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import BinaryIO

from lamella.errors import Ambiguous, InvalidReference, LamellaError, UsageError
from lamella.layer.spool import Spool
from lamella.progress import SILENT, Progress
from lamella.spec.platform import Platform
from lamella.spec.reference import Reference
from lamella.transport.base import Destination, Source
from lamella.transport.engine.options import EngineOptions
from lamella.transport.file.destination import FileDestination
from lamella.transport.file.source import FileSource
from lamella.transport.location import Location, parse_location
from lamella.transport.registry import RegistryName, RegistryOptions

__all__ = ["Environment", "in_engine", "locate", "open_destination", "open_source"]


@dataclass(frozen=True)
class Environment:
    """What a call needs from the world around it."""

    tmp_dir: str | None = None
    """Where spooled layers go; None: the system's place."""
    progress: Progress = SILENT
    stdin: BinaryIO | None = None
    """What ``-`` is read from."""
    stdout: BinaryIO | None = None
    """What ``-`` is written to."""
    engine: EngineOptions = field(default_factory=EngineOptions)
    registry: RegistryOptions = field(default_factory=RegistryOptions)


def locate(text: str, env: Environment) -> Location:
    """Return the place that a reference to an existing image means.

    Raises:
        Ambiguous: it has no prefix, and is both a file here and an image of the engine.
        UsageError: nothing can be made of it.
    """
    location = parse_location(text)
    bare = location.path == text and location.transport in {"archive", "oci"}
    if bare and _is_image_name(text) and _engine_has(text, env):
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


def _engine_has(name: str, env: Environment) -> bool:
    """Whether there is an engine that has the image; that there is no engine is no error here."""
    from lamella.transport.engine.source import EngineSource  # noqa: PLC0415 - most runs need no engine

    try:
        with EngineSource(name, Spool(env.tmp_dir), None, env.engine, env.progress) as source:
            source.describe()
    except LamellaError:
        return False
    return True


def in_engine(location: Location) -> bool:
    """Whether a reference names an image of an engine: Docker or Podman."""
    return location.transport in {"plain", "docker-daemon", "podman"}


def _engine(location: Location, env: Environment) -> EngineOptions:
    """Return how to reach the engine that a reference means."""
    return replace(env.engine, podman=location.transport == "podman")


def open_source(
    location: Location, platform: Platform | None, spool: Spool, env: Environment
) -> Source:
    """Return the source that a reference names; nothing is read yet.

    Raises:
        UsageError: it is ``-``, and there is no stream.
    """
    if in_engine(location):
        from lamella.transport.engine.source import EngineSource  # noqa: PLC0415 - as above

        return EngineSource(location.path, spool, platform, _engine(location, env), env.progress)
    if location.transport == "docker":
        from lamella.transport.registry.source import RegistrySource  # noqa: PLC0415 - as above

        name = RegistryName.parse(str(location))
        return RegistrySource(name, spool, platform, env.registry, env.progress)
    _need_stream(location, env.stdin, "stdin")
    return FileSource(location, spool, platform, env.stdin)


def open_destination(location: Location, spool: Spool, env: Environment) -> Destination:
    """Return the destination that a reference names; entering it tells if it can be written.

    Raises:
        UsageError: it is ``-``, and there is no stream.
    """
    if in_engine(location):
        from lamella.transport.engine.destination import EngineDestination  # noqa: PLC0415 - as above

        return EngineDestination(spool, _engine(location, env), env.progress)
    if location.transport == "docker":
        from lamella.transport.registry.destination import (  # noqa: PLC0415 - as above
            RegistryDestination,
        )

        name = RegistryName.parse(str(location))
        return RegistryDestination(name, spool, env.registry, env.progress)
    _need_stream(location, env.stdout, "stdout")
    return FileDestination(location, spool, env.stdout)


def _need_stream(location: Location, stream: BinaryIO | None, name: str) -> None:
    if location.path == "-" and stream is None:
        raise UsageError(
            f"'{location}': {name} is closed, or not given; want a file, or a stream as "
            f"Environment({name}=…)"
        )
