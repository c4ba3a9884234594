"""What cases are made with: images, made once; tools and peers; engines, started at first use."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import images
from bench.compression import whole
from bench.daemon import top_of_a_base
from bench.measure import Helper, Runner, Sample
from lamella.layer.blob import FileRange
from lamella.layer.compress import write_packed
from lamella.layer.compression import Compression
from tests.engines.daemon import Engine, EngineUnavailableError, docker_classic_daemon, find_chroot
from tests.engines.namespace import Namespace
from tests.engines.process import run
from tests.engines.tools import Podman, podman_store
from tests.transport.registry.server import Server, registry_server

REQUIREMENTS = Path(__file__).with_name("requirements.txt")

IMAGES: dict[str, tuple[str, Callable[[], Iterator[images.Maker]]]] = {
    "half-dead": ("16 layers, of which half is dead", images.half_dead),
    "quarter": (
        "16 layers, of which half is dead, a quarter of the size",
        lambda: images.half_dead(4),
    ),
    "tiny": ("100,000 tiny files, links, whiteouts", images.tiny_files),
    "tiny-30": ("300,000 entries of that kind", lambda: images.tiny_files(157_000)),
    "tiny-100": ("1,000,000 entries of that kind", lambda: images.tiny_files(525_000)),
    "one-layer": ("one layer of 4 GB, and a small one", images.one_layer),
    "one-small": ("one layer of 0.8 GB, and a small one", lambda: images.one_layer(800_000_000)),
    "real": ("100 MB of files out of /usr", lambda: images.of_this_machine(100_000_000)),
    "folders": (
        "100 MB of files out of /usr, each layer with directories of its own",
        lambda: images.of_this_machine(100_000_000, dealt=False),
    ),
    "folders-large": (
        "600 MB of files out of /usr, each layer with directories of its own",
        lambda: images.of_this_machine(600_000_000, dealt=False),
    ),
    "real-large": ("600 MB of files out of /usr", lambda: images.of_this_machine(600_000_000)),
}


@dataclass
class Shop:
    """Makes and keeps what cases need, in one folder that goes at the end."""

    folder: Path
    full: bool
    quick: bool
    stack: contextlib.ExitStack
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def run(self) -> Runner:
        """Runs commands, with nobody's settings and caches."""
        temp = self.folder / "temp"
        temp.mkdir()
        return Runner(temp, {"XDG_CACHE_HOME": str(self.folder / "cache")})

    @cached_property
    def lamella(self) -> Path:
        """The command that is measured."""
        return Path(sys.executable).with_name("lamella")

    @property
    def large(self) -> str:
        """The image that squashes are measured on."""
        return "quarter" if self.quick else "half-dead"

    @property
    def for_peers(self) -> str:
        """The image for cases in which others take minutes."""
        return "half-dead" if self.full else "quarter"

    @property
    def part(self) -> int:
        """How many times smaller that one is."""
        return 1 if self.full else 4

    def archive(self, name: str) -> Path:
        """Make an image, or give the one made before."""
        path = self.folder / f"{name}.tar"
        if name not in self.facts:
            title, make = IMAGES[name]
            self.facts[name] = {"image": title, **images.write_image(path, make())}
        return path

    def merged(self, name: str) -> Path:
        """Squash an image as a whole, or give what was made before."""
        path = self.folder / f"{name}-merged.tar"
        if not path.exists():
            self.squash(name, path)
        return path

    def squash(self, name: str, result: Path) -> Sample:
        """Let lamella squash an image as a whole, from archive to archive."""
        result.unlink(missing_ok=True)  # or the rename at the end would have to free it
        output = f"docker-archive:{result}"
        return self.run([self.lamella, "squash", self.archive(name), "-q", "-o", output])

    def drop(self, name: str) -> None:
        """Make room: the case of this image is over."""
        (self.folder / f"{name}-merged.tar").unlink(missing_ok=True)
        (self.folder / f"{name}.tar").unlink()
        del self.facts[name]

    def layout(self, name: str, compression: str) -> Path:
        """Give an image as a layout folder, with compressed layers, tagged `latest`."""
        folder = self.folder / f"{name}-{compression.partition(':')[0]}"
        if not folder.exists():
            write_layout(self.archive(name), folder, compression, {})
        return folder

    @cached_property
    def peers(self) -> Path:
        """The folder of commands of docker-squash and oci-squash, in an environment of their own.

        Raises:
            CommandError: they can't be installed.
        """
        home = self.folder / "peers"
        pip: list[str | Path] = [home / "bin/python", "-m", "pip", "install", "--quiet"]
        run([sys.executable, "-m", "venv", home])
        run([*pip, "--require-hashes", "-r", REQUIREMENTS], timeout=300)
        return home / "bin"

    @cached_property
    def docker(self) -> Engine:
        """Docker with its classic store."""
        return self.stack.enter_context(docker_classic_daemon())

    @cached_property
    def podman(self) -> Podman:
        """Podman with storage of its own."""
        return self.stack.enter_context(podman_store())

    @cached_property
    def registry(self) -> Server:
        """A registry without TLS."""
        return self.stack.enter_context(registry_server())

    @cached_property
    def crane(self) -> Path:
        """Crane of the newer Debian: it runs on this one too."""
        path = find_chroot() / "usr/bin/crane"
        if not path.exists():
            raise EngineUnavailableError(
                "no crane in the chroot that tests/engines/install.sh made"
            )
        return path

    def in_docker(self, *words: str | Path, env: dict[str, str] | None = None) -> Sample:
        """Measure a command that makes Docker work."""
        engine = self.docker
        helper = helper_of(engine.namespace, engine.data_root / "tmp")
        return self.run(words, env={**engine.environment, **(env or {})}, helper=helper)


def helper_of(namespace: Namespace, *temp: Path) -> Helper:
    """An engine, seen as what works for commands."""
    pid = namespace.init_pid
    assert pid is not None
    return Helper(pid, temp)


def registry_helper(server: Server) -> Helper:
    """Find the process of a registry by its configuration, which is its own."""
    wanted = str(server.work / "config.yml").encode()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and wanted in (entry / "cmdline").read_bytes():
                return Helper(int(entry.name))
    raise EngineUnavailableError("the registry has gone")


def diff_ids_of(archive: Path) -> list[str]:
    """Read which layers an archive has."""
    return [diff_id for diff_id, _ in _layers(archive)]


def _layers(archive: Path) -> list[tuple[str, FileRange | None]]:
    """Find the layers of an archive: diff_id and where it lies, if it is in there."""
    with tarfile.open(archive) as tar:
        members = {member.name: member for member in tar}
        listed, config = (
            json.loads(stream.read())
            for name in ("manifest.json", "config.json")
            if (stream := tar.extractfile(name))
        )
    file = archive.open("rb")
    found = [members.get(name) for name in listed[0]["Layers"]]
    spans = [FileRange(file, m.offset_data, m.size) if m else None for m in found]
    return list(zip(config["rootfs"]["diff_ids"], spans, strict=True))


def write_layout(
    archive: Path, folder: Path, compression: str, known: dict[str, dict[str, Any]]
) -> None:
    """Write a layout folder with compressed layers, as engines push them.

    Args:
        archive: the image; of layers in `known` only the names are needed.
        folder: where to; blobs that are there stay.
        compression: of all layers, as lamella's option has it.
        known: descriptors by diff_id; those of new layers are added.
    """
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    kind = "application/vnd.oci.image."
    layers = _layers(archive)
    for diff_id, span in layers:
        if diff_id not in known and span is not None:
            with (folder / "new").open("wb") as out:
                packed = write_packed(whole(span), Compression.parse(compression), out.write)
            (folder / "new").rename(blobs / packed.digest.partition(":")[2])
            media_type = f"{kind}layer.v1.tar+{compression.partition(':')[0]}"
            known[diff_id] = _descriptor(media_type, packed.digest, packed.size)
    with tarfile.open(archive) as tar:
        stream = tar.extractfile("config.json")
        assert stream is not None
        config = _put(blobs, f"{kind}config.v1+json", stream.read())
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}manifest.v1+json",
        "config": config,
        "layers": [known[diff_id] for diff_id, _ in layers],
    }
    top = _put(blobs, f"{kind}manifest.v1+json", json.dumps(manifest).encode())
    named = {**top, "annotations": {"org.opencontainers.image.ref.name": "latest"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _put(blobs: Path, media_type: str, raw: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(raw).hexdigest()
    (blobs / digest).write_bytes(raw)
    return _descriptor(media_type, f"sha256:{digest}", len(raw))


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


@dataclass
class Variants:
    """Images with the same layers below and another small top each time.

    So nothing that a squash makes is there already, where it was squashed before.
    """

    folder: Path
    make: Callable[[int], Iterator[images.Maker]]
    below: int
    """How many layers they have in common."""
    facts: dict[str, Any] = field(default_factory=dict)
    made: int = 0
    there: Sequence[str] = ()

    @property
    def archive(self) -> Path:
        """The last one; only of the first one with all layers."""
        return self.folder / "variant.tar"

    def next_number(self) -> int:
        """Count one more."""
        self.made += 1
        return self.made - 1

    def another(self) -> int:
        """Write one, without what the one before had too; return its number."""
        number = self.next_number()
        facts = images.write_image(self.archive, self.make(number), self.there)
        if not number:
            self.facts = dict(facts)
            self.there = diff_ids_of(self.archive)[: self.below]
        return number


@dataclass(frozen=True)
class Base:
    """How large the lowest layer of an image is."""

    size: int
    files: int


SMALL, MIDDLE, LARGE = (
    Base(100_000_000, 5500),
    Base(500_000_000, 12_000),
    Base(1_700_000_000, 40_000),
)


def tops(folder: Path, base: Base) -> Variants:
    """Images of a base with 20 MB in 5 layers on top."""
    folder.mkdir()
    return Variants(folder, lambda number: top_of_a_base(base.size, base.files, number), 1)


def temporary() -> tempfile.TemporaryDirectory[str]:
    """Make the folder for everything."""
    return tempfile.TemporaryDirectory(prefix="lamella-bench-")
