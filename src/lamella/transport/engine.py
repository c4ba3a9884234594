"""``docker-daemon:NAME``: images in a Docker engine, over its API. (Contract; being written.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from lamella.errors import Unsupported
from lamella.image import Image
from lamella.layer.blob import Layer, Merged
from lamella.layer.compression import Compression
from lamella.layer.spool import Layers, Spool
from lamella.progress import Progress
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.platform import Platform

__all__ = ["EngineDestination", "EngineOptions", "EngineSource"]


@dataclass(frozen=True)
class EngineOptions:
    """How to reach an engine."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """DOCKER_HOST, DOCKER_CONTEXT, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, DOCKER_CONFIG."""


class EngineSource:
    """An image in an engine; a `transport.base.Source`."""

    def __init__(
        self,
        name: str,
        spool: Spool,
        platform: Platform | None,
        options: EngineOptions,
        progress: Progress,
    ) -> None:
        raise Unsupported("Docker engines can't be reached yet")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def describe(self) -> Image:
        """From inspect and history alone: no save. History IDs and tags included."""
        raise NotImplementedError

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """One `docker save`, streamed; only what is asked for goes to the spool."""
        raise NotImplementedError

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Local tags by the exact diff_ids of the image they belong to, sorted."""
        raise NotImplementedError

    def remove(self, *, new_tags: Sequence[str]) -> str | None:
        """Remove the source image (--cleanup); return why it was kept, if it was."""
        raise NotImplementedError


class EngineDestination:
    """A `transport.base.Destination`: loads what the engine lacks, checks, then tags."""

    def __init__(self, spool: Spool, options: EngineOptions, progress: Progress) -> None:
        raise Unsupported("Docker engines can't be reached yet")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def default_compression(self, image: Image) -> Compression:
        raise NotImplementedError

    def put_layer(self, layer: Layer, layers: Layers) -> Descriptor:
        raise NotImplementedError

    def put_merged(self, merged: Merged, compression: Compression) -> tuple[Digest, Descriptor]:
        raise NotImplementedError

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        raise NotImplementedError
