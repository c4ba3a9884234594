"""lamella in three calls: `squash`, `open_image`, `verify`.

    >>> import lamella
    >>> result = lamella.squash("docker-archive:app.tar", last=2, output="docker-archive:slim.tar")
    >>> result.layers_after
    2

Everything is an argument: nothing here reads the environment, prints, or asks.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from lamella.errors import ImageError, MalformedImage, Unsupported, UsageError
from lamella.image import Image
from lamella.layer.compression import Compression
from lamella.layer.spool import Layers, Spool
from lamella.merge.causes import Dropped
from lamella.merge.emit import PlanTar
from lamella.mutate import HistoryMode, Wording, new_manifest
from lamella.progress import SILENT, Progress
from lamella.result import Result, SquashedRange
from lamella.rootfs import Difference, compare_configs, compare_rootfs, read_rootfs
from lamella.selection import Selection, position_of, select, select_above_image
from lamella.spec.platform import Platform
from lamella.spec.reference import Reference
from lamella.squash import Prepared, Written, prepare, write
from lamella.transport.base import Destination, Source
from lamella.transport.engine import EngineDestination, EngineOptions, EngineSource
from lamella.transport.local import FileDestination, FileSource
from lamella.transport.names import Location, parse_location

__all__ = ["Environment", "open_image", "squash", "verify"]


@dataclass(frozen=True)
class Environment:
    """What a call needs from the world around it."""

    tmp_dir: str | None = None
    """Where spooled layers go; None: the system's place."""
    progress: Progress = SILENT
    stdin: BinaryIO = field(default_factory=io.BytesIO)
    stdout: BinaryIO = field(default_factory=io.BytesIO)
    engine: EngineOptions = field(default_factory=EngineOptions)


def _open_source(text: str, platform: Platform | None, spool: Spool, env: Environment) -> Source:
    location = parse_location(text)
    if location.transport in {"plain", "docker-daemon"}:
        return EngineSource(location, spool, platform, env.engine, env.progress)
    return FileSource(location, spool, platform, env.stdin)


def _open_destination(location: Location, spool: Spool, env: Environment) -> Destination:
    if location.transport in {"plain", "docker-daemon"}:
        return EngineDestination(spool, env.engine, env.progress)
    return FileDestination(location, spool, env.stdout)
