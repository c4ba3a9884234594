#!/usr/bin/env python3
"""Measure lamella within one engine: layers read in place, and by the API; print ratios.

    .venv/bin/python bench/daemon.py                    as root; starts an engine of its own
    .venv/bin/python bench/daemon.py --podman           the same within Podman
    .venv/bin/python bench/daemon.py --rounds 9 --base 1700 --json results.json

The image has a base and 20 MB in 5 layers on top, which are squashed. The measure is the engine's
`load` of the new layer alone: less an engine can't be asked to do. Each time is another image on
the same base, so that nothing new is there already; and nothing is removed meanwhile, since an
engine that is clearing up loads slowly for minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import images
from lamella import __version__
from lamella.api import Environment, squash
from lamella.transport.engine.options import EngineOptions
from tests.engines.daemon import EngineUnavailableError, docker_classic_daemon
from tests.engines.tools import podman_store

LAYERS = 5


def top_of_a_base(base: int, files: int, variant: int) -> Iterator[images.Maker]:
    """A base of so many bytes and files, and 20 MB above it: new, overwritten and deleted files."""
    sizes = random.Random(7)

    def path(i: int) -> str:
        return f"usr/lib/part{i // 2000:02d}/package{i // 40 % 50:03d}/module{i:05d}.bin"

    def make_base(layer: images.LayerWriter) -> None:
        for i in range(files):
            layer.file(path(i), int(sizes.expovariate(files / base)), at=i * 4099)

    def make_top(number: int) -> images.Maker:
        def make(layer: images.LayerWriter) -> None:
            for i in range(100):
                layer.file(
                    f"srv/app{i % 7}/{number}-{i:03d}.bin",
                    40_000,
                    at=variant * 99_991 + number * 7919 + i,
                )
            for i in range(number, 400, 9):
                layer.file(path(i * 3), 100, at=variant + i)
            layer.whiteout(path(5000 + number))
            if number > 1:
                layer.whiteout(f"srv/app3/{number - 1}-003.bin")

        return make

    yield make_base
    for number in range(1, LAYERS + 1):
        yield make_top(number)


@dataclass(frozen=True)
class Within:
    """An engine to squash in."""

    version: str
    transport: str
    """What is before the name of an image in it."""
    archive: str
    """Of this kind it loads an image without the layers that it has."""
    environment: Mapping[str, str]
    command: Callable[..., str]
    """Runs the engine's own command."""


@contextmanager
def docker() -> Iterator[Within]:
    """Run Docker, with the classic store."""
    with docker_classic_daemon() as engine:
        version = json.loads(engine.api("GET", "/version")[1])["Version"]
        yield Within(
            f"Docker {version}",
            "docker-daemon",
            "docker-archive",
            engine.environment,
            engine.docker,
        )


@contextmanager
def podman() -> Iterator[Within]:
    """Run Podman."""
    with podman_store() as store:
        version = store("version", "--format", "{{.Version}}").strip()
        environment = {"CONTAINER_HOST": store.host}
        yield Within(f"Podman {version}", "podman", "oci-archive", environment, store)


def by(engine: Within, how: str, name: str) -> float:
    """Squash within the engine; return seconds."""
    lamella = Path(sys.executable).with_name("lamella")
    source = f"{engine.transport}:{name}"
    command = [str(lamella), "squash", source, "--last", str(LAYERS), "-t", f"{name}-{how}", "-q"]
    environment = {**os.environ, **engine.environment}
    begin = time.perf_counter()
    subprocess.run(
        [*command, "--source", how], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    return time.perf_counter() - begin


def load_alone(engine: Within, folder: Path, name: str) -> float:
    """Load an image of which only the new layer is sent; return seconds."""
    archive = folder / "new-layer.tar"
    env = Environment(engine=EngineOptions(engine.environment, source="local"))
    output = f"{engine.archive}:{archive}"
    squash(f"{engine.transport}:{name}", last=LAYERS, output=output, env=env)
    partial = without_base(archive)
    begin = time.perf_counter()
    engine.command("load", "--quiet", "--input", partial)
    return time.perf_counter() - begin


def without_base(archive: Path) -> Path:
    """Leave the first layer out of an archive: the engine has it."""
    partial = archive.with_name("partial.tar")
    with tarfile.open(archive) as whole, tarfile.open(partial, "w") as out:
        base = base_of(whole)
        for member in whole:
            if member.name != base:
                out.addfile(member, whole.extractfile(member) if member.isreg() else None)
    return partial


def base_of(archive: tarfile.TarFile) -> str:
    """Find the name of the first layer."""

    def read(name: str) -> Any:  # noqa: ANN401 - parsed JSON
        file = archive.extractfile(name)
        assert file is not None
        return json.load(file)

    def blob(descriptor: Mapping[str, str]) -> str:
        return f"blobs/{descriptor['digest'].replace(':', '/')}"

    if "manifest.json" in archive.getnames():
        return str(read("manifest.json")[0]["Layers"][0])
    return blob(read(blob(read("index.json")["manifests"][0]))["layers"][0])


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


@dataclass
class Sources:
    """Makes the images that are squashed, one after another, in an engine."""

    engine: Within
    folder: Path
    base: int
    files: int
    made: int = 0
    facts: dict[str, int] = field(default_factory=dict)

    def another(self) -> str:
        """Make one; return its name."""
        archive, name = self.folder / "image.tar", f"bench:{self.made}"
        self.facts = images.write_image(archive, top_of_a_base(self.base, self.files, self.made))
        whole = not self.made or self.engine.archive != "docker-archive"
        path = archive if whole else without_base(archive)
        self.engine.command("load", "--quiet", "--input", path)
        self.engine.command("tag", "bench:latest", name)
        self.made += 1
        return name


def measure(sources: Sources, rounds: int) -> dict[str, list[float]]:
    """Measure each way once a round, in turn."""
    engine, folder = sources.engine, sources.folder
    ways: dict[str, Callable[[str], float]] = {
        "load of the new layer alone": lambda source: load_alone(engine, folder, source),
        "squash, layers in place": lambda source: by(engine, "local", source),
        "squash, layers by the API": lambda source: by(engine, "api", source),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            seconds = run(sources.another())
            if number:  # the first round warms the page cache
                found[name].append(seconds)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", type=int, default=500, metavar="MB")
    parser.add_argument("--files", type=int, default=12_000, help="files in the base")
    parser.add_argument("--podman", action="store_true", help="within Podman, not Docker")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        try:
            with podman() if arguments.podman else docker() as engine:
                base = arguments.base * 1_000_000
                sources = Sources(engine, Path(name), base, arguments.files)
                found = measure(sources, arguments.rounds)
        except EngineUnavailableError as reason:
            raise SystemExit(f"no engine to measure with: {reason}") from reason
    facts = sources.facts
    print(
        f"lamella {__version__}, Python {platform.python_version()}, {engine.version}, "
        f"{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n"
        f"{facts['layers']} layers, {facts['entries']} entries, {facts['bytes'] / 1e6:.0f} MB"
    )
    floor = next(iter(found.values()))
    for name, seconds in found.items():
        ratio = spread([s / f for s, f in zip(seconds, floor, strict=True)])
        print(f"  {name:30} {spread(seconds)} s   {ratio}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({**facts, **found}, indent=2))


if __name__ == "__main__":
    main()
