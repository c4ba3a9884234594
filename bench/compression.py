#!/usr/bin/env python3
"""Measure how fast layers are compressed and decompressed, beside zlib, in one run, alternating.

    .venv/bin/python bench/compression.py                        200 MB out of /usr, 5 rounds
    .venv/bin/python bench/compression.py --tar layer.tar --rounds 9

Libraries that lamella doesn't use (deflate, rapidgzip, zstandard) are measured where they are
installed. Ratios are medians over rounds, each against zlib or gzip in the same round.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib
import importlib.util
import io
import os
import statistics
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from isal import isal_zlib
from zlib_ng import gzip_ng, zlib_ng

from lamella.layer.blob import CHUNK, FileRange
from lamella.layer.compress import BLOCK, open_packer, write_packed
from lamella.layer.compression import Compression, open_plain
from lamella.layer.inflate import BlockReader
from lamella.layer.spans import SpanFinder
from lamella.merge.emit import PlanTar
from lamella.merge.plan import Plan, Run
from lamella.spec.codec import Codec

WRITTEN = ["gzip", "gzip:1", "gzip:2", "gzip:6", "gzip:9", "zstd", "zstd:1"]


@dataclass
class Contender:
    """One way to do it: a function that returns the packed size, or 0 if it unpacks."""

    name: str
    run: Callable[[], int]
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    size: int = 0

    def measure(self) -> None:
        """Run once."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.size = self.run()
        self.walls.append(time.perf_counter() - wall)
        self.cpus.append(time.process_time() - cpu)


def sample(size: int, out: Path) -> None:
    """Make a tar of files from all over /usr, about `size` bytes of them."""
    found = []
    for folder, _, names in os.walk("/usr"):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and path.stat().st_size < size // 10:
                found.append((str(path), path.stat().st_size))
    found.sort()
    every = max(1.0, sum(length for _, length in found) / size)
    due = 0.0
    with tarfile.open(out, "w") as tar:
        for at, (name, _) in enumerate(found):
            if at >= due:
                tar.add(name)
                due += every


def whole(plain: FileRange) -> PlanTar:
    """A merged layer that consists of all of it."""
    return PlanTar(Plan([Run(0, 0, plain.size)], plain.size, 1, [], [], []), {0: plain})


def layer_writers(plain: FileRange) -> Iterator[Contender]:
    """The whole way of a new layer: read, hashed, compressed, hashed again."""
    merged = whole(plain)

    def by_zlib() -> int:
        packer, sha256, size = zlib.compressobj(6, zlib.DEFLATED, 31), hashlib.sha256(), 0

        def put(packed: bytes) -> None:
            nonlocal size
            sha256.update(packed)
            size += len(packed)

        merged.write_to(lambda chunk: put(packer.compress(chunk)))
        put(packer.flush())
        return size

    yield Contender("zlib 6", by_zlib)
    for text in WRITTEN:
        compression = Compression.parse(text)
        yield Contender(
            text,
            lambda c=compression: write_packed(merged, c, lambda _: None).size,  # type: ignore[misc]
        )


def packers(plain: FileRange) -> Iterator[Contender]:
    """The same without reading and hashing."""
    content = memoryview(plain.read_at(0, plain.size))
    chunks = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)]

    def by_zlib() -> int:
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        return sum(len(packer.compress(chunk)) for chunk in chunks) + len(packer.flush())

    def by_ours(text: str) -> int:
        sizes: list[int] = []
        compression = Compression.parse(text)
        with open_packer(compression, lambda packed: sizes.append(len(packed))) as packer:
            for chunk in chunks:
                packer.write(chunk)
            packer.finish()
        return sum(sizes)

    yield Contender("zlib 6", by_zlib)
    for text in WRITTEN:
        yield Contender(text, lambda t=text: by_ours(t))  # type: ignore[misc]


def one_thread(plain: FileRange) -> Iterator[Contender]:
    """The libraries themselves, block by block."""

    def blocks() -> Iterator[bytes]:
        for at in range(0, plain.size, BLOCK):
            yield plain.read_at(at, BLOCK)

    def by(library: Any, level: int, memory: int) -> Callable[[], int]:  # noqa: ANN401 - a module
        def run() -> int:
            size, before = 0, b""
            for block in blocks():
                more = {"zdict": before} if before else {}
                packer = library.compressobj(level, 8, -15, memory, 0, **more)
                size += len(packer.compress(block)) + len(packer.flush(library.Z_SYNC_FLUSH))
                before = block[-(1 << 15) :]
            return size

        return run

    yield Contender("zlib 6", by(zlib, 6, 8))
    for level in (3, 5, 6, 7, 9):
        yield Contender(f"zlib-ng {level}", by(zlib_ng, level, 7))
    for level in (0, 1, 2, 3):
        yield Contender(f"isal {level}", by(isal_zlib, level, isal_zlib.DEF_MEM_LEVEL))
    if importlib.util.find_spec("deflate"):
        yield from by_libdeflate(blocks)


def by_libdeflate(blocks: Callable[[], Iterator[bytes]]) -> Iterator[Contender]:
    """Libdeflate: each block a stream of its own, and all of them one stream."""
    library = importlib.import_module("deflate")

    def apart(level: int) -> int:
        return sum(len(library.deflate_compress(block, level)) for block in blocks())

    def joined(level: int) -> int:
        return sum(len(goes_on(library.gzip_compress(block, level))) for block in blocks())

    for level in (5, 6):
        yield Contender(f"libdeflate {level}, a stream each", lambda n=level: apart(n))  # type: ignore[misc]
    for level in (3, 5, 6):
        yield Contender(f"libdeflate {level}, joined", lambda n=level: joined(n))  # type: ignore[misc]


class _Bits:
    """Notes where the last block of a member begins and ends, in the place of a `SpanFinder`."""

    def __init__(self) -> None:
        self.last = self.end = 0

    def feed(self, packed: bytes) -> None:
        """Keep nothing."""

    def begin(self, plain: int) -> None:
        """Keep nothing."""

    def boundary(self, bit: int, plain: int, *, ended: bool) -> bool:
        """Note a block; all of them are wanted."""
        del plain
        if ended:
            self.end = bit
        else:
            self.last = bit
        return True


def goes_on(member: bytes) -> bytes:
    """Return the deflate stream of a gzip member as blocks after which others may follow.

    The library tells neither where its last block begins nor ends it otherwise than by saying that
    it is the last: so the member is inflated to find it. An empty stored block ends a whole byte.
    """
    bits = _Bits()
    with BlockReader(io.BytesIO(member), cast("SpanFinder", bits)) as reader:
        drained(reader)
    stream = bytearray(member[: -(-bits.end // 8)])
    stream[bits.last // 8] &= ~(1 << bits.last % 8)
    if bits.end % 8:  # the rest of the last byte is not the stream's
        stream[-1] &= (1 << bits.end % 8) - 1
    if 0 < bits.end % 8 <= 5:  # noqa: PLR2004 - three bits say "stored, not the last"
        return bytes(stream[_GZIP_HEAD:]) + b"\0\0\xff\xff"
    return bytes(stream[_GZIP_HEAD:]) + b"\0\0\0\xff\xff"


_GZIP_HEAD = 10


def drained(stream: Any) -> int:  # noqa: ANN401 - readers of five libraries
    """Read all of it."""
    while stream.read(CHUNK):
        pass
    return 0


def readers(plain: FileRange) -> Iterator[Contender]:
    """A layer that an engine wrote: zlib level 6, and zstd level 3."""
    content = plain.read_at(0, plain.size)
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    gz = packer.compress(content) + packer.flush()
    out: list[bytes] = []
    write_packed(whole(plain), Compression(Codec.ZSTD), lambda chunk: out.append(bytes(chunk)))
    zst = b"".join(out)
    yield Contender(
        "gzip (standard library)", lambda: drained(gzip.GzipFile(fileobj=io.BytesIO(gz)))
    )
    yield Contender("zlib-ng", lambda: drained(gzip_ng.GzipNGFile(fileobj=io.BytesIO(gz))))
    yield Contender(
        "lamella, gzip (isal)", lambda: drained(open_plain(io.BytesIO(gz), Codec.GZIP, ""))
    )
    if importlib.util.find_spec("rapidgzip"):
        rapid = importlib.import_module("rapidgzip").open
        yield Contender("rapidgzip", lambda: drained(rapid(io.BytesIO(gz), os.cpu_count())))
    yield Contender("lamella, zstd", lambda: drained(open_plain(io.BytesIO(zst), Codec.ZSTD, "")))
    if importlib.util.find_spec("zstandard"):
        other = importlib.import_module("zstandard").ZstdDecompressor().stream_reader
        yield Contender("zstandard", lambda: drained(other(io.BytesIO(zst))))


def compare(title: str, contenders: list[Contender], rounds: int, size: int) -> None:
    """Let them run in turn and print a table; the first is what the others are held against."""
    for _ in range(rounds):
        for contender in contenders:
            contender.measure()
    first = contenders[0]
    print(f"\n| {title} | MB/s | times as fast | CPU, times less | size | against {first.name} |")
    print("|---|---|---|---|---|---|")
    for each in contenders:
        speed = size / 1e6 / statistics.median(each.walls)
        faster = statistics.median(a / b for a, b in zip(first.walls, each.walls, strict=True))
        less = statistics.median(a / b for a, b in zip(first.cpus, each.cpus, strict=True))
        sizes = (
            f"{each.size / size:.3f} | {each.size / first.size - 1:+.1%}" if each.size else "- | -"
        )
        print(f"| {each.name} | {speed:.0f} | {faster:.2f} | {less:.2f} | {sizes} |", flush=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tar", type=Path, help="an uncompressed tar; else one is made of /usr")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--libraries", action="store_true", help="only these, in one thread")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.tar or Path(folder, "usr.tar")
        if not options.tar:
            sample(options.megabytes * 10**6, path)
        with path.open("rb") as file:
            plain = FileRange.whole(file)
            print(f"{plain.size / 1e6:.0f} MB, {os.cpu_count()} cores, {options.rounds} rounds")
            rounds, size = options.rounds, plain.size
            whole_ways = {
                "compressing alone, all cores": packers,
                "a layer from tar to digest, all cores": layer_writers,
                "reading, one thread": readers,
            }
            ways = {"a library, one thread, blocks of 1 MiB": one_thread}
            for title, made in (ways if options.libraries else whole_ways | ways).items():
                compare(title, list(made(plain)), rounds, size)


if __name__ == "__main__":
    main()
