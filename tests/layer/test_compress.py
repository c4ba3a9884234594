from __future__ import annotations

import gzip
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zlib_ng import zlib_ng

from lamella.errors import OutputError
from lamella.layer.blob import Bytes
from lamella.layer.compress import BLOCK, open_packer, write_packed
from lamella.layer.compression import NONE, Compression, detect
from lamella.merge.emit import PlanTar
from lamella.merge.plan import Plan, Run
from lamella.spec.codec import Codec
from lamella.spec.digest import Digest
from tests.support.machine import patience

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP = ["gzip", *(f"gzip:{level}" for level in range(1, 10))]
ZSTD = ["zstd", "zstd:1", "zstd:9", "zstd:1,long"]
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}
SIZES = [0, 1, 511, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 12345]


@cache
def like_a_tar(size: int, seed: int = 1) -> bytes:
    """Bytes of which some repeat near by, some far away, and some never do."""
    source = random.Random(seed)
    words = [source.randbytes(source.randint(2, 40)) for _ in range(400)]
    parts, length = [], 0
    while length < size:
        part = b"".join(source.choices(words, k=200)) + source.randbytes(700) + bytes(512)
        parts.append(part)
        length += len(part)
    return b"".join(parts)[:size]


def merged_of(plain: bytes) -> PlanTar:
    """A merged layer of these bytes, as a squash hands it over."""
    size = len(plain)
    plan = Plan([Run(0, 0, size)] if size else [], size, 1, [], [], [])
    return PlanTar(plan, {0: Bytes(plain)})


def pack(text: str, plain: bytes, step: int = 1 << 18, workers: int | None = None) -> bytes:
    """Compress in chunks of `step` bytes, each in a buffer that is overwritten afterwards."""
    out: list[bytes] = []
    with open_packer(Compression.parse(text), out.append, workers) as packer:
        for at in range(0, len(plain), step):
            chunk = bytearray(plain[at : at + step])
            packer.write(memoryview(chunk))
            chunk[:] = bytes(len(chunk))
        packer.finish()
    return b"".join(out)


@pytest.mark.parametrize("text", ["none", *GZIP, *ZSTD, "zstd:19"])
def test_a_layer_comes_back_and_is_known_by_what_was_written(text: str) -> None:
    """diff_id, digest and size are of the bytes before and after."""
    plain, compression = like_a_tar(BLOCK + 4321), Compression.parse(text)
    out: list[bytes] = []
    packed = write_packed(merged_of(plain), compression, lambda chunk: out.append(bytes(chunk)))
    stored = b"".join(out)
    assert UNPACK[compression.kind](stored) == plain
    assert packed.diff_id == Digest.of(plain)
    assert (packed.digest, packed.size) == (Digest.of(stored), len(stored))
    assert detect(stored) == compression.kind


@pytest.mark.parametrize("text", ["none", "gzip", "zstd"])
def test_nothing_is_packed_too(text: str) -> None:
    """A layer may be empty; its compressed form isn't."""
    out: list[bytes] = []
    packed = write_packed(merged_of(b""), Compression.parse(text), lambda b: out.append(bytes(b)))
    assert UNPACK[text](b"".join(out)) == b""
    assert packed.diff_id == Digest.of(b"")
    assert (packed.size == 0) == (text == "none")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", ["gzip", "gzip:1", "gzip:9", "zstd"])
def test_any_size_comes_back(text: str, size: int) -> None:
    """Blocks may be full, short or missing."""
    plain = like_a_tar(size)
    assert UNPACK[text.partition(":")[0]](pack(text, plain)) == plain


@pytest.mark.parametrize("text", GZIP)
@pytest.mark.parametrize("size", SIZES)
def test_gzip_is_one_member_that_tells_nothing(text: str, size: int) -> None:
    """No time, no name, no flags; nothing behind the first member, which some readers stop at."""
    packed = pack(text, like_a_tar(size))
    assert packed[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    one = zlib.decompressobj(wbits=31)
    assert one.decompress(packed) == like_a_tar(size)
    assert one.eof
    assert one.unused_data == b""


def test_zstd_is_one_frame() -> None:
    """Nothing is behind the first frame."""
    plain = like_a_tar(20 * BLOCK)
    one = zstd.ZstdDecompressor()
    assert one.decompress(pack("zstd", plain)) == plain
    assert one.eof
    assert one.unused_data == b""


def test_a_long_window_finds_what_is_far_away() -> None:
    """What came 12 MiB before costs nothing; the zstd command reads it without an option."""
    plain = random.Random(1).randbytes(12 * BLOCK) * 2
    packed = pack("zstd:long", plain)
    assert len(packed) < 13 * BLOCK < 24 * BLOCK < len(pack("zstd", plain))
    assert packed == pack("zstd:3,long", plain, step=BLOCK + 1, workers=5)
    command = ["zstd", "--decompress", "--stdout"]
    assert subprocess.run(command, input=packed, capture_output=True, check=True).stdout == plain


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.sampled_from([*GZIP, *ZSTD]),
    size=st.integers(0, 4 * BLOCK),
    seed=st.integers(0, 5),
    step=st.integers(1000, 2 * BLOCK),
    workers=st.integers(1, 5),
)
def test_only_the_bytes_count(text: str, size: int, seed: int, step: int, workers: int) -> None:
    """Neither how they come in chunks nor the number of threads changes the result."""
    plain = like_a_tar(size, seed)
    assert pack(text, plain, step, workers) == pack(text, plain, size or 1, 1)


@pytest.mark.slow
def test_threads_of_zstd_change_nothing_across_its_jobs() -> None:
    """Libzstd cuts its input at its own places, every 8 MiB here."""
    plain = like_a_tar(36 * BLOCK)
    wanted = pack("zstd", plain, len(plain), 1)
    for workers, step in ((1, 1 << 18), (2, 1 << 18), (4, 99_999), (3, 5 * BLOCK)):
        assert pack("zstd", plain, step, workers) == wanted


def test_repeats_are_found_across_blocks() -> None:
    """A block knows the window before it: what straddles a cut costs next to nothing."""
    noise = random.Random(2).randbytes(30_000)
    before, after = bytes(BLOCK - len(noise)) + noise, noise + bytes(1000)
    assert len(pack("gzip", before + after)) - len(pack("gzip", before)) < 1000


def test_higher_levels_are_smaller() -> None:
    """Whichever library serves them."""
    plain = Path(os.__file__).parent.joinpath("typing.py").read_bytes() * 3
    sizes = {level: len(pack(f"gzip:{level}", plain)) for level in (1, 3, 6, 9)}
    assert sizes[1] > sizes[3] > sizes[6] > sizes[9]
    assert len(pack("gzip", plain)) <= 1.03 * len(zlib.compress(plain, 6))


@pytest.mark.parametrize("tool", ["gzip", "zstd"])
def test_the_tools_of_others_agree(tmp_path: Path, tool: str) -> None:
    """`gzip -t` and `zstd -t`, where they are."""
    if not shutil.which(tool):
        pytest.skip(f"no {tool} here")
    for text in {"gzip": GZIP, "zstd": ZSTD}[tool]:
        path = tmp_path / {"gzip": "a.gz", "zstd": "a.zst"}[tool]
        path.write_bytes(pack(text, like_a_tar(2 * BLOCK + 77)))
        subprocess.run([tool, "-t", path], check=True, capture_output=True)


def threads() -> int:
    """Threads of this process, libzstd's included where that can be seen."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()


def end_of_threads(before: int) -> bool:
    """Whether there are no more threads than before; the system takes a moment to forget one."""
    deadline = time.monotonic() + patience(5)
    while threads() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    return threads() <= before


class Full(Exception):
    """The place has no more room."""


@pytest.mark.parametrize("error", [Full, KeyboardInterrupt])
@pytest.mark.parametrize("room", [0, 5, 600_000])
@pytest.mark.parametrize("text", ["none", "gzip", "gzip:1", "gzip:9", "zstd", "zstd:1"])
def test_an_error_of_the_sink_ends_it(text: str, room: int, error: type[BaseException]) -> None:
    """It comes out as it is, at once, and no thread is left."""
    before, left = threads(), room

    def write(chunk: bytes | memoryview) -> None:
        nonlocal left
        left -= len(chunk)
        if left < 0:
            raise error

    with pytest.raises(error):
        write_packed(merged_of(like_a_tar(24 * BLOCK)), Compression.parse(text), write)
    assert end_of_threads(before)


def test_no_thread_is_left_when_all_went_well() -> None:
    """The same for the end that is wanted."""
    before = threads()
    for text in ("gzip", "zstd"):
        write_packed(merged_of(like_a_tar(3 * BLOCK)), Compression.parse(text), lambda _: None)
    assert end_of_threads(before)


def test_an_error_of_a_worker_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It isn't lost in its thread, and nothing waits for a block that never comes."""
    calls, before = [0], threads()
    make = zlib_ng.compressobj

    def breaks(*settings: int, **given: bytes) -> object:
        calls[0] += 1
        if calls[0] == 5:
            raise MemoryError
        return make(*settings, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(zlib_ng, "compressobj", breaks)
    with pytest.raises(MemoryError):
        write_packed(merged_of(like_a_tar(30 * BLOCK)), Compression(Codec.GZIP), lambda _: None)
    assert end_of_threads(before)
    assert calls[0] < 30


def test_little_is_under_way_at_a_time() -> None:
    """A slow sink holds up the source: two blocks a thread wait, and one is being filled."""
    taken, written, most = 0, 0, 0
    plain = random.Random(3).randbytes(
        BLOCK
    )  # as large packed as not, so that both can be compared

    def write(chunk: bytes) -> None:
        nonlocal written
        written += len(chunk)

    with open_packer(Compression(Codec.GZIP, 1), write, workers=2) as packer:
        for _ in range(24):
            packer.write(plain)
            taken += len(plain)
            most = max(most, taken - written)
        packer.finish()
    assert most <= 5 * BLOCK


def test_none_is_not_hashed_twice() -> None:
    """The digest of a plain layer is its diff_id."""
    packed = write_packed(merged_of(b"abc"), NONE, lambda _: None)
    assert packed.diff_id == packed.digest == Digest.of(b"abc")


def test_zstd_without_memory_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what the system lacks, and what needs less."""

    class Poor:
        def __init__(self, options: object) -> None: ...

        def compress(self, _chunk: bytes) -> bytes:
            raise zstd.ZstdError("Allocation error : not enough memory")

        flush = compress

    monkeypatch.setattr("lamella.layer.compress.zstd.ZstdCompressor", Poor)
    with pytest.raises(OutputError, match=r"no more memory or threads .*`compression` gzip"):
        pack("zstd", b"a" * 1000)
