"""How much work a squash does, counted: a guard that no noisy clock blurs."""

from __future__ import annotations

import bz2
import gc
import gzip
import random
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import pytest

import lamella
from lamella.demo import write_demo_image
from lamella.layer.blob import FileRange
from lamella.layer.opener import LayerOpener
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.merge.causes import Dropped, count_dropped
from lamella.merge.plan import Plan
from lamella.operations.merge_layers import prepare
from lamella.progress import SILENT
from lamella.selection import Selection
from lamella.tar.entry import Member, ReadAt
from lamella.tar.scan import scan
from tests.support.images import image
from tests.support.tars import entry, layer, whiteout


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """An image of ten plain layers in an archive."""
    path = tmp_path / "demo.tar"
    write_demo_image(path)
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Bytes read of files, by kind: in pieces (`read_at`) and in bulk (`read_into`)."""
    counted: Counter[str] = Counter()
    read_at, read_into = FileRange.read_at, FileRange.read_into

    def counting_read_at(self: FileRange, offset: int, length: int) -> bytes:
        found = read_at(self, offset, length)
        counted["pieces"] += len(found)
        return found

    def counting_read_into(self: FileRange, buffer: memoryview, offset: int) -> int:
        got = read_into(self, buffer, offset)
        counted["bulk"] += got
        return got

    monkeypatch.setattr(FileRange, "read_at", counting_read_at)
    monkeypatch.setattr(FileRange, "read_into", counting_read_into)
    return counted


def test_layers_of_a_local_archive_need_no_temporary_file(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain layers are read where they lie: nothing goes to temporary space."""

    def refuse(self: Spool) -> BinaryIO:
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr(Spool, "file", refuse)

    result = lamella.squash(str(demo), last=9, output=f"docker-archive:{tmp_path / 'out.tar'}")

    assert result.squashed


def test_content_is_read_once_to_verify_and_once_to_copy(
    demo: Path, tmp_path: Path, read: Counter[str]
) -> None:
    """In bulk: each layer once for its digest, each surviving byte once for the output."""
    target = tmp_path / "out.tar"

    result = lamella.squash(str(demo), output=f"docker-archive:{target}")

    layers = result.bytes_before
    assert layers + 0.9 * result.bytes_after <= read["bulk"] <= layers + result.bytes_after


def test_headers_and_comparisons_read_a_fraction(
    demo: Path, tmp_path: Path, read: Counter[str]
) -> None:
    """In pieces: headers, and the files that are compared because one replaced the other."""
    result = lamella.squash(str(demo), last=9, output=f"docker-archive:{tmp_path / 'out.tar'}")

    dropped = result.dropped
    compared = 2 * (dropped.overwritten + dropped.metadata_only + dropped.duplicate)
    entries = 2_000  # of all ten layers, and a window of 2 kB for each is the most a scan reads
    assert read["pieces"] <= compared + entries * 2048 + 1_000_000


def test_analysis_reads_all_once_and_looks_at_a_fraction(demo: Path, read: Counter[str]) -> None:
    """In bulk for the digests; in pieces headers, and what may be a copy."""
    found = lamella.analyze(str(demo), secrets=False)

    dead = [layer.dead for layer in found.layers]
    compared = 2 * sum(one.metadata_only + one.duplicate for one in dead)
    assert read["bulk"] == found.total
    # Of a file that was replaced by another one the first kilobyte tells that.
    pieces = read["pieces"]
    assert pieces <= compared + 2_000 * 2048 + 1_000_000

    # Secrets are looked for in each small file, once.
    read.clear()
    lamella.analyze(str(demo))
    assert read["bulk"] == found.total
    assert read["pieces"] <= pieces + found.total


def test_every_layer_is_scanned_once(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ranges there are, and with all that is read below them."""
    scanned: list[int] = []

    def counting(source: ReadAt, origin: int = 0) -> list[Member]:
        scanned.append(origin)
        return scan(source, origin)

    monkeypatch.setattr("lamella.merge.changeset.scan", counting)

    lamella.squash(str(demo), layers=["2-4", "6-9"], output=f"oci:{tmp_path / 'out'}")

    assert sorted(scanned) == list(range(9))


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes written to temporary files, write by write."""
    written: list[int] = []
    write = Spool.write

    def counting(self: Spool, file: BinaryIO, chunk: bytes | memoryview) -> None:
        written.append(len(chunk))
        write(self, file, chunk)

    monkeypatch.setattr(Spool, "write", counting)
    return written


def test_causes_are_told_beside_the_writing(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that scans, plans and writes does not read files again to compare them."""
    told: list[threading.Thread] = []

    def counting(plan: Plan, tars: Mapping[int, LayerTar]) -> Dropped:
        told.append(threading.current_thread())
        return count_dropped(plan, tars)

    monkeypatch.setattr("lamella.operations.merge_layers.count_dropped", counting)

    result = lamella.squash(str(demo), output=f"docker-archive:{tmp_path / 'out.tar'}")

    assert result.dropped.total
    assert len(told) == 1
    assert told[0] is not threading.current_thread()


def test_of_what_is_replaced_nothing_is_spooled(
    spooled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of compressed layers, squashed newest first, the spool holds headers and what stays."""
    monkeypatch.setattr("lamella.layer.opener._AT_ONCE", 1)
    monkeypatch.setattr(
        "lamella.layer.opener.usable_cores", lambda: 1
    )  # one at a time: all newer ones are known
    noise = random.Random(1).randbytes(1 << 20)
    tars = (
        layer(("a", noise), ("b", noise), ("c", b"stays")),
        layer(("a", b"other" * 1000), whiteout("b"), ("d", noise)),
    )

    dropped, merged = squash_compressed(*tars)

    assert dropped > 2 * len(noise)
    assert merged < sum(spooled) < merged + 10_000


@pytest.mark.slow
def test_of_what_is_said_again_nothing_is_spooled(spooled: list[int]) -> None:
    """Also while both layers are unpacked: the older one does not run ahead, were it quicker."""
    noise = random.Random(1).randbytes(1 << 16)
    tars = [layer(*[entry(f"f{i:02d}", noise, uid=uid) for i in range(60)]) for uid in (0, 1)]

    dropped, merged = squash_compressed(*tars, slow=1)

    assert dropped > 60 * len(noise)
    assert merged < sum(spooled) < merged + 60 * 512 + 10_000


def squash_compressed(*tars: bytes, slow: int | None = None) -> tuple[int, int]:
    """Squash an image; return how many bytes were dropped and how many are left."""
    stored = {i: gzip.compress(tar, 1) for i, tar in enumerate(tars)}
    if slow is not None:
        stored[slow] = bz2.compress(tars[slow])
    with LayerOpener(Spool()) as opener:
        ready = prepare(image(*tars, stored=stored), Selection((range(2),)), opener, SILENT)
        merged = ready.merged(range(2))
        merged.write_to(len)
        return ready.dropped.total, merged.size


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_not_looked_for_while_headers_are_read(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, enabled: bool
) -> None:
    """Members are many and never garbage; afterwards the collector is as it was."""
    running: list[bool] = []

    def noting(source: ReadAt, origin: int = 0) -> list[Member]:
        running.append(gc.isenabled())
        return scan(source, origin)

    monkeypatch.setattr("lamella.merge.changeset.scan", noting)
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        lamella.squash(str(demo), output=f"oci:{tmp_path / 'out'}", check=True)
        after = gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()

    assert not any(running)
    assert after == enabled


def test_what_is_written_is_the_output_and_no_more(demo: Path, tmp_path: Path) -> None:
    """The size of the new layer is known beforehand, and the archive is layers plus metadata."""
    target = tmp_path / "out.tar"
    plan = lamella.squash(str(demo), last=9, dry_run=True)

    result = lamella.squash(str(demo), last=9, output=f"docker-archive:{target}")

    assert result.bytes_after == plan.bytes_after
    assert 0 < target.stat().st_size - result.bytes_after < 10_000
