"""Images to measure with, made in code: the same bytes each time."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lamella.layer.blob import FileRange
from lamella.spec.config import format_json
from lamella.tar.entry import DIRECTORY, HARD_LINK, REGULAR, SYMLINK, Header
from lamella.tar.header import padding
from lamella.tar.writer import END_OF_ARCHIVE, format_header, format_plain_block

_NOISE = random.Random(1).randbytes(32 << 20)
_EPOCH = 1_700_000_000 * 10**9
CREATED = "2023-11-14T22:13:20Z"


@dataclass
class LayerWriter:
    """Writes one layer's tar into an open archive, hashing it on the way."""

    write: Callable[[bytes], object]
    size: int = 0
    entries: int = 0
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    folders: set[str] = field(default_factory=set)

    def raw(self, data: bytes) -> None:
        """Append bytes."""
        self.write(data)
        self.sha256.update(data)
        self.size += len(data)

    def add(self, header: Header, content: bytes = b"") -> None:
        """Append an entry."""
        self.raw(format_header(header) + content + bytes(padding(len(content))))
        self.entries += 1

    def parents(self, path: str) -> None:
        """Append the directories above a path, once."""
        parent = path.rpartition("/")[0]
        if parent and parent not in self.folders:
            self.parents(parent)
            self.folders.add(parent)
            self.add(Header(parent.encode() + b"/", DIRECTORY, 0o755, mtime=_EPOCH))

    def file(self, path: str, size: int, at: int, owner: int = 0) -> None:
        """Append a file with content that `at` determines."""
        self.parents(path)
        start = at % (len(_NOISE) - 1)
        content = _NOISE[start : start + size]
        while len(content) < size:
            content += _NOISE[: size - len(content)]
        self.add(Header(path.encode(), REGULAR, 0o644, owner, owner, size, _EPOCH), content)

    def link(self, path: str, target: str, kind: bytes = HARD_LINK) -> None:
        """Append a link."""
        self.parents(path)
        self.add(Header(path.encode(), kind, 0o777, mtime=_EPOCH, link=target.encode()))

    def whiteout(self, path: str) -> None:
        """Append a deletion."""
        folder, _, name = path.rpartition("/")
        self.parents(path)
        self.add(Header(f"{folder}/.wh.{name}".encode(), REGULAR, 0))


Maker = Callable[[LayerWriter], None]


def write_image(target: Path, makers: Iterator[Maker], there: Sequence[str] = ()) -> dict[str, int]:
    """Write a docker-archive; return how many layers, entries and bytes of tar it has.

    Args:
        target: the file.
        makers: one for each layer.
        there: diff_ids of the first layers, which are named in it only: an engine has them.
    """
    temporary = target.with_suffix(".tmp")
    names: list[str] = []
    diff_ids, entries, total = list(there), 0, 0
    with temporary.open("w+b") as out:
        for number, make in enumerate(makers, 1):
            names.append(f"{number:03d}/layer.tar")
            if number <= len(there):
                continue
            at = out.tell()
            out.write(bytes(512))
            layer = LayerWriter(out.write)
            make(layer)
            layer.raw(END_OF_ARCHIVE)
            out.write(bytes(padding(layer.size)))
            end = out.tell()
            out.seek(at)
            out.write(format_plain_block(names[-1].encode(), layer.size))
            out.seek(end)
            diff_ids.append(f"sha256:{layer.sha256.hexdigest()}")
            entries += layer.entries
            total += layer.size
        rootfs = {"type": "layers", "diff_ids": diff_ids}
        history = [{"created": CREATED, "created_by": name} for name in names]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "created": CREATED,
            "config": {},
            "rootfs": rootfs,
            "history": history,
        }
        manifest = [{"Config": "config.json", "RepoTags": ["bench:latest"], "Layers": names}]
        for name, value in (("config.json", config), ("manifest.json", manifest)):
            raw = format_json(value)
            out.write(format_plain_block(name.encode(), len(raw)) + raw + bytes(padding(len(raw))))
        out.write(END_OF_ARCHIVE)
    temporary.replace(target)
    return {"layers": len(names), "entries": entries, "bytes": total}


def half_dead(part: int = 1) -> Iterator[Maker]:  # noqa: C901 - a list of steps, each a function
    """16 layers, 88,000 entries, 1.5 GB, of which about half is deleted or overwritten later.

    Args:
        part: make it so many times smaller.
    """
    sizes = random.Random(2)
    paths: list[tuple[str, int]] = []

    def grow(number: int, count: int, mean: int) -> Maker:
        def make(layer: LayerWriter) -> None:
            for i in range(count // part):
                path = f"usr/lib/part{number:02d}/package{i // 40:03d}/module{i:05d}.bin"
                size = min(int(sizes.expovariate(1 / mean)), 40 * mean)
                paths.append((path, size))
                layer.file(path, size, at=number * 1_000_003 + i * 4099)

        return make

    def chown(share: int) -> Maker:
        def make(layer: LayerWriter) -> None:
            for i, (path, size) in enumerate(paths):
                if i % share == 0:
                    number = int(path[12:14])
                    layer.file(path, size, at=number * 1_000_003 + int(path[-9:-4]) * 4099, owner=1)

        return make

    def overwrite(share: int, shift: int) -> Maker:
        def make(layer: LayerWriter) -> None:
            for i, (path, size) in enumerate(paths):
                if i % share == shift:
                    layer.file(path, size, at=i * 7919)

        return make

    def delete(share: int, shift: int) -> Maker:
        def make(layer: LayerWriter) -> None:
            for i, (path, _) in enumerate(paths):
                if i % share == shift:
                    layer.whiteout(path)

        return make

    yield grow(1, 14_000, 16_000)
    for number in range(2, 9):
        yield grow(number, 3_400, 22_000)
    yield chown(4)
    yield overwrite(6, 1)
    yield overwrite(7, 2)
    yield delete(5, 3)
    yield grow(13, 2_400, 30_000)
    yield chown(9)
    yield overwrite(11, 5)
    yield delete(13, 6)


def tiny_files(count: int = 100_000) -> Iterator[Maker]:
    """Tiny files, a fifth as many symlinks, hard links and whiteouts."""

    def files(layer: LayerWriter) -> None:
        for i in range(count):
            layer.file(f"srv/d{i // 500:04d}/f{i:06d}", i % 100, at=i)

    def links(layer: LayerWriter) -> None:
        for i in range(count // 5):
            layer.link(f"srv/l{i // 500:04d}/s{i:06d}", f"../d0000/f{i:06d}", SYMLINK)
            layer.file(f"srv/h{i // 500:04d}/a{i:06d}", 10, at=i)
            layer.link(f"srv/h{i // 500:04d}/b{i:06d}", f"srv/h{i // 500:04d}/a{i:06d}")

    def deletions(layer: LayerWriter) -> None:
        for i in range(0, count, 5):
            layer.whiteout(f"srv/d{i // 500:04d}/f{i:06d}")

    def moved(layer: LayerWriter) -> None:
        for i in range(0, count // 5, 2):
            layer.whiteout(f"srv/h{i // 500:04d}/a{i:06d}")

    yield files
    yield links
    yield deletions
    yield moved


def one_layer(size: int = 4_000_000_000, files: int = 40) -> Iterator[Maker]:
    """One large layer of a few files; above it one that deletes a file and adds a small one."""

    def large(layer: LayerWriter) -> None:
        for i in range(files):
            layer.file(f"srv/data{i:02d}.bin", size // files, at=i * 4099)

    def small(layer: LayerWriter) -> None:
        layer.whiteout("srv/data00.bin")
        layer.file("srv/readme", 1000, at=1)

    yield large
    yield small


def marked(makers: Iterator[Maker], variant: int) -> Iterator[Maker]:
    """Put a layer of one small file on top, of which all that is made differs from other images."""
    yield from makers
    yield lambda layer: layer.file("srv/variant", 100, at=variant * 101)


def copied(layer: FileRange, variant: int) -> Iterator[Maker]:
    """All of another image's layer, and a small file more."""

    def make(out: LayerWriter) -> None:
        end = layer.size - len(END_OF_ARCHIVE)
        for at in range(0, end, 1 << 20):
            out.raw(layer.read_at(at, min(1 << 20, end - at)))
        out.file("srv/variant", 100, at=variant * 101)

    yield make


def of_this_machine(size: int, layers: int = 4, *, dealt: bool = True) -> Iterator[Maker]:
    """Real files out of /usr, which compress as those of images do: `size` bytes, in `layers`.

    They are dealt out one by one, so that each layer has all directories; or each layer has
    directories of its own.
    """
    found = sorted(
        (path, path.stat().st_size)
        for path in Path("/usr").rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_size < size // 20
    )
    every = max(1, round(sum(length for _, length in found) / size))
    chosen = found[::every]

    def files(number: int) -> Maker:
        def make(layer: LayerWriter) -> None:
            share = -(-len(chosen) // layers)
            own = chosen[number * share : (number + 1) * share]
            for path, _ in chosen[number::layers] if dealt else own:
                content = path.read_bytes()
                name = str(path).lstrip("/")
                layer.parents(name)
                layer.add(Header(name.encode(), REGULAR, size=len(content)), content)

        return make

    for number in range(layers):
        yield files(number)
