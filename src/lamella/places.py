"""Which place a reference means: the one list of sources and destinations."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import BinaryIO

from lamella.layer.spool import Spool
from lamella.progress import SILENT, Progress
from lamella.spec.platform import Platform
from lamella.transport.base import Destination, Source
from lamella.transport.engine import EngineDestination, EngineOptions, EngineSource
from lamella.transport.local import FileDestination, FileSource
from lamella.transport.names import Location

__all__ = ["Environment", "in_engine", "open_destination", "open_source"]


@dataclass(frozen=True)
class Environment:
    """What a call needs from the world around it."""

    tmp_dir: str | None = None
    """Where spooled layers go; None: the system's place."""
    progress: Progress = SILENT
    stdin: BinaryIO = field(default_factory=io.BytesIO)
    stdout: BinaryIO = field(default_factory=io.BytesIO)
    engine: EngineOptions = field(default_factory=EngineOptions)


def in_engine(location: Location) -> bool:
    """Whether a reference names an image of a Docker engine."""
    return location.transport in {"plain", "docker-daemon"}


def open_source(
    location: Location, platform: Platform | None, spool: Spool, env: Environment
) -> Source:
    """Return the source that a reference names; nothing is read yet."""
    if in_engine(location):
        return EngineSource(location.path, spool, platform, env.engine, env.progress)
    return FileSource(location, spool, platform, env.stdin)


def open_destination(location: Location, spool: Spool, env: Environment) -> Destination:
    """Return the destination that a reference names; entering it tells if it can be written."""
    if in_engine(location):
        return EngineDestination(spool, env.engine, env.progress)
    return FileDestination(location, spool, env.stdout)
