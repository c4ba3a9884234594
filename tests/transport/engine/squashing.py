"""Squashing in real engines, at the level of sources and destinations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.operations.merge_layers import prepare, write
from lamella.progress import SILENT, Progress
from lamella.rewrite import Wording, new_manifest
from lamella.selection import Selection
from lamella.spec.digest import Digest
from lamella.transport.base import Destination, LayersMissing, NewImage, Source, fetch_all
from lamella.transport.engine.location import EngineLocation
from lamella.transport.engine.options import EngineOptions
from lamella.transport.environment import Environment
from tests.engines.daemon import Engine
from tests.engines.images import name_app
from tests.engines.namespace import wait_until

BASE = "engine-tests/base:1"
BASE_LAYERS = 1

_apps: dict[Engine, str] = {}


@pytest.fixture
def app(engine: Engine) -> str:
    """Name the image that all tests of one engine start from; none of them changes it."""
    if engine not in _apps:
        _apps[engine] = "engine-tests/app:1"
        name_app(engine, BASE, _apps[engine])
    return _apps[engine]


def options(host: str) -> EngineOptions:
    """Point at an engine, whatever the user's own settings are; layers come by its API."""
    return EngineOptions({"DOCKER_HOST": host}, source="api")


def world(host: str, progress: Progress = SILENT) -> Environment:
    """Return an environment in which there is this engine."""
    return Environment(progress=progress, engine=options(host))


@contextmanager
def source_of(host: str, name: str, progress: Progress = SILENT) -> Iterator[Source]:
    """Open an image of an engine."""
    with EngineLocation("docker-daemon", name).open_source(None, world(host, progress)) as source:
        yield source


@contextmanager
def engine_at(host: str, progress: Progress = SILENT) -> Iterator[Destination]:
    """Open an engine for writing."""
    with EngineLocation("docker-daemon", "").open_destination(world(host, progress)) as engine:
        yield engine


def squash_engine(
    host: str,
    name: str,
    *tags: str,
    ranges: Sequence[range] = (),
    message: str = "",
    progress: Progress = SILENT,
) -> str:
    """Squash within one engine; by default everything above the base. Return the new ID."""
    with source_of(host, name, progress) as source:
        destination = engine_at(host, progress)
        return squash(source, destination, *tags, ranges=ranges, message=message)


def squash(
    source: Source,
    opening: AbstractContextManager[Destination],
    *tags: str,
    ranges: Sequence[range] = (),
    message: str = "",
    needs: frozenset[int] | None = None,
) -> str:
    """Squash from a source into a destination; return what the destination calls the image.

    Args:
        source: opened.
        opening: opens the destination.
        tags: of the new image.
        ranges: of layers; by default everything above the base.
        message: makes the new image another one.
        needs: positions of layers whose content is fetched too; None: those that are needed.
    """
    with opening as destination, LayerOpener(Spool()) as opener:
        count = len(source.describe().layers)
        chosen = tuple(ranges) or (range(BASE_LAYERS, count),)
        content = frozenset(position for positions in chosen for position in positions)
        needed = destination.needs(source.describe(), chosen, source) if needs is None else needs
        listed = frozenset(range(chosen[-1].stop)) - content
        image = source.fetch(content | needed, listed - needed)
        prepared = prepare(image, Selection(chosen), opener, SILENT)
        new = NewImage(image, chosen, source, opener, None, prepared.bytes_after)
        writer = destination.open_image(new)
        written = write(prepared, writer, Wording(message=message), SILENT)
        manifest = new_manifest(image.manifest, written.config, written.descriptors)
        try:
            return writer.commit(written.config, manifest, tags)
        except LayersMissing:
            writer.supply(fetch_all(source))
            return writer.commit(written.config, manifest, tags)


def every(image: Image) -> frozenset[int]:
    """Positions of all layers."""
    return frozenset(range(len(image.layers)))


def layers_of(engine: Engine, name: str) -> list[str]:
    """Return the diff_ids of an image, as the engine says."""
    rootfs = engine.inspect(name)["RootFS"]
    assert isinstance(rootfs, Mapping)
    return list(rootfs["Layers"])


def id_of(engine: Engine, name: str) -> str:
    """Return what the engine calls an image."""
    return str(engine.inspect(name)["Id"])


def state_of(engine: Engine) -> dict[str, list[str]]:
    """Return all images of an engine with their names."""
    listed = json.loads(engine.api("GET", "/images/json?all=1")[1])
    return {image["Id"]: sorted(image["RepoTags"] or ()) for image in listed}


_BEFORE: dict[Path, set[str]] = {}
"""What was in the folder of an engine's temporary files when a test began."""


def note_temporary_files(engine: Engine) -> None:
    """Remember what others left there: a container that was run leaves some."""
    _BEFORE[engine.data_root] = _temporary_files(engine)


def is_tidy(engine: Engine) -> bool:
    """Whether the engine clears up what it had begun, once it notices that we are gone."""
    before = _BEFORE[engine.data_root]
    return wait_until(lambda: _temporary_files(engine) <= before, timeout=120)


def _temporary_files(engine: Engine) -> set[str]:
    folder = engine.data_root / "tmp"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def digests(names: Sequence[str]) -> tuple[Digest, ...]:
    """Take diff_ids as they are in an image."""
    return tuple(Digest(name) for name in names)
