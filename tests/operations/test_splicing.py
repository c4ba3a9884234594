"""Compressed blocks are looked for where a new layer takes them over, and only there."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from zlib_ng import zlib_ng

import lamella
from lamella.layer import room, spans, spool, unpack
from lamella.layer.spans import SpanFinder
from lamella.layer.spool import Spool
from lamella.report.text import summary
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory
from tests.support.gzip_members import words
from tests.support.tars import entry, layer
from tests.transport.forms import Layout

TARS = [layer((f"file{n}", words(300_000, n)), (f"b{n}", bytes(9000))) for n in range(1, 5)]
SAME = layer(("file3", words(300_000, 3)))
"""What the third layer has once more."""


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[SpanFinder]:
    """One for each time that a layer was searched."""
    made: list[SpanFinder] = []

    class Counted(SpanFinder):
        def feed(self, packed: bytes) -> None:
            if self not in made:
                made.append(self)
            super().feed(packed)

    monkeypatch.setattr(unpack, "SpanFinder", Counted)
    return made


@pytest.fixture
def layout(tmp_path: Path) -> str:
    """A layout with an image of gzip layers."""
    made = Layout()
    made.add(made.manifest([*TARS, SAME], "gzip"), "app")
    return f"oci:{made.write(tmp_path / 'layout')}:app"


@pytest.mark.parametrize(
    ("output", "options", "searched"),
    [
        ("oci:{}/new:new", {}, 5),
        ("oci:{}/new:new", {"compression": "gzip"}, 5),
        ("oci:{}/new:new", {"compression": "gzip:6"}, 0),
        ("oci:{}/new:new", {"compression": "zstd"}, 0),
        ("oci:{}/new:new", {"compression": "none"}, 0),
        ("oci:{}/new:new", {"last": 2}, 2),
        ("oci:{}/new:new", {"auto": True}, 3),
        ("oci:{}/new:new", {"max_layers": 4}, 2),
        ("oci:{}/new:new", {"dry_run": True}, 0),
        ("oci-archive:{}/new.tar:new", {}, 0),
        ("oci-archive:{}/new.tar:new", {"compression": "gzip"}, 5),
        ("docker-archive:{}/new.tar", {"compression": "none"}, 0),
        ("docker-archive:{}/new.tar", {}, 5),
    ],
)
def test_only_what_is_taken_over_is_searched(
    layout: str,
    tmp_path: Path,
    found: list[SpanFinder],
    output: str,
    options: Mapping[str, Any],
    searched: int,
) -> None:
    """Neither what is kept, nor anything for a layer that is stored plain, or at a level."""
    result = lamella.squash(layout, output=output.format(tmp_path), **options)
    assert len(found) == searched
    spliced = sum(one.spliced for one in result.ranges)
    assert (spliced > 0) == (searched > 0)


@pytest.mark.parametrize(
    ("output", "options", "searched"),
    [
        ("docker://{}/app:new", {}, 5),
        ("docker://{}/app:new", {"last": 2}, 2),
        ("docker://{}/app:new", {"auto": True}, 3),
        ("docker://{}/app:new", {"compression": "gzip:1"}, 0),
        ("docker-archive:/dev/null", {"compression": "none"}, 0),
    ],
)
def test_so_it_is_in_a_registry(
    layout: str, found: list[SpanFinder], output: str, options: Mapping[str, Any], searched: int
) -> None:
    """What is searched there is kept at hand in its stored form, too."""
    with registry_in_memory(Oddly(0)) as registry:
        source = f"docker://{registry.host}/app:old"
        lamella.squash(layout, layers="1-1", output=source)
        found.clear()
        lamella.squash(source, output=output.format(registry.host), **options)
    assert len(found) == searched


def test_the_same_layers_give_the_same_bytes(layout: str, tmp_path: Path) -> None:
    """From a registry and from a layout, into both; the tar is the one that is compressed else."""
    with registry_in_memory(Oddly(0)) as registry:
        there = f"docker://{registry.host}/app"
        lamella.squash(layout, layers="1-1", output=f"{there}:old")
        results = [
            lamella.squash(source, output=f"{output}:{n}")
            for n, source in enumerate([layout, f"{there}:old"])
            for output in [there, f"oci:{tmp_path}/new"]
        ]
        assert len({result.digest for result in results}) == 1
        manifest = json.loads(registry.manifests["app", "0"][1])
        [stored] = [registry.blobs[one["digest"]] for one in manifest["layers"]]
    plain = lamella.squash(layout, output=f"oci:{tmp_path}/all:new", compression="gzip:6")
    diff_ids = {one.diff_id for result in (*results, plain) for one in result.ranges}
    assert diff_ids == {f"sha256:{sha256(zlib.decompress(stored, 31)).hexdigest()}"}


def test_with_little_room_only_the_stored_form_is_kept(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of gzip layers of a registry; the new image is the same, to the byte."""
    spooled: list[int] = []
    write = Spool.write

    def counted(self: Spool, file: BinaryIO, chunk: bytes | memoryview) -> None:
        spooled.append(len(chunk))
        write(self, file, chunk)

    monkeypatch.setattr(Spool, "write", counted)
    folder = layout.removeprefix("oci:").removesuffix(":app")
    stored = sum(path.stat().st_size for path in Path(folder, "blobs/sha256").iterdir())
    with registry_in_memory(Oddly(0)) as registry:
        there = f"docker://{registry.host}/app"
        lamella.squash(layout, layers="1-1", output=f"{there}:old")
        results, sizes = [], []
        for free in (1 << 40, 4 * stored):
            monkeypatch.setattr(room, "room_of", lambda _, free=free: free)
            monkeypatch.setattr(spool, "room_of", lambda _, free=free: free)
            spooled.clear()
            results.append(lamella.squash(f"{there}:old", output=f"{there}:{free}"))
            sizes.append(sum(spooled))
            lamella.squash(f"{there}:old", output=f"{there}:checked", check=True)
    assert results[0].digest == results[1].digest
    assert results[1].ranges[0].spliced > 500_000
    assert sizes[0] > stored + 1_000_000
    assert sizes[1] < 1.1 * stored


def test_little_is_compressed_anew(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of layers that survive whole only heads, tails and headers: a guard for the work done."""
    deflated: list[int] = []
    deflate_with = zlib_ng.compressobj

    class Counted:
        def __init__(self, *settings: Any, **more: Any) -> None:  # noqa: ANN401 - as they are
            self._deflate = deflate_with(*settings, **more)
            self.flush = self._deflate.flush

        def compress(self, plain: bytearray) -> bytes:
            deflated.append(len(plain))
            return self._deflate.compress(plain)

    monkeypatch.setattr(zlib_ng, "compressobj", Counted)
    result = lamella.squash(layout, output=f"oci:{tmp_path}/new:new")
    [merged] = result.ranges
    assert merged.recompressed == sum(deflated)
    assert merged.spliced + merged.recompressed == merged.bytes_after
    assert merged.recompressed < 0.3 * merged.bytes_after
    assert any(line.startswith("spliced   ") for line in summary(result))
    told = result.to_json()["ranges"][0]
    assert (told["spliced"], told["recompressed"]) == (merged.spliced, merged.recompressed)
    anew = lamella.squash(layout, output=f"oci:{tmp_path}/new:anew", compression="gzip:6")
    assert anew.ranges[0].spliced == 0
    assert anew.ranges[0].recompressed == merged.bytes_after
    plain = lamella.squash(layout, output=f"oci:{tmp_path}/new:plain", compression="none")
    assert (plain.ranges[0].spliced, plain.ranges[0].recompressed) == (0, 0)


def test_headers_with_other_times_are_compressed_anew(tmp_path: Path) -> None:
    """What lies between them is taken over; the layer is the one that is stored plain."""
    early = [entry(f"early{n}", words(9000, n), mtime=10**9) for n in range(30)]
    late = [entry(f"late{n}", words(200_000, n), mtime=9 * 10**9) for n in range(2)]
    made = Layout()
    made.add(made.manifest([layer(*early, *late), SAME], "gzip"), "app")
    source = f"oci:{made.write(tmp_path / 'layout')}:app"
    spliced, plain = (
        lamella.squash(
            source,
            output=f"oci:{tmp_path}/new:{n}",
            clamp_mtime="1970-01-01T00:00:05Z",
            check=True,
            compression=compression,
        )
        for n, compression in enumerate(["gzip", "none"])
    )
    assert [one.diff_id for one in spliced.ranges] == [one.diff_id for one in plain.ranges]
    assert spliced.ranges[0].spliced > 400_000
    assert lamella.verify(f"oci:{tmp_path}/new:0", f"oci:{tmp_path}/new:1") == []


def test_frames_of_zstd_are_taken_over(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of zstd layers into one; not of gzip layers, nor if a level or a long window is asked for."""
    monkeypatch.setattr(spans, "LEAST_FRAME", 50_000)
    made = Layout()
    made.add(made.manifest([*TARS, SAME], "zstd in parts"), "app")
    frames = f"oci:{made.write(tmp_path / 'frames')}:app"
    with registry_in_memory(Oddly(0)) as registry:
        there = f"docker://{registry.host}/app"
        lamella.squash(frames, layers="1-1", output=f"{there}:old")
        results = [
            lamella.squash(source, output=f"oci:{tmp_path}/new:new", **options)
            for source in (frames, f"{there}:old")
            for options in ({}, {"auto": True}, {"compression": "zstd"})
        ]
    assert results[0].ranges[0].spliced > 500_000
    assert len({result.digest for result in results}) == 2  # --auto squashes fewer layers
    for source, compression in (
        (frames, "zstd:3"),
        (frames, "zstd:long"),
        (frames, "gzip"),
        (layout, "zstd"),
    ):
        anew = lamella.squash(source, output=f"oci:{tmp_path}/new:anew", compression=compression)
        assert anew.ranges[0].spliced == 0
        assert anew.id == results[0].id


def test_without_the_library_all_is_compressed(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is the same but for how its layer is stored."""
    spliced = lamella.squash(layout, output=f"oci:{tmp_path}/new:1", check=True)
    monkeypatch.setattr("lamella.layer.inflate.can_find_blocks", lambda _: False)
    result = lamella.squash(layout, output=f"oci:{tmp_path}/new:2", check=True)
    assert result.ranges[0].spliced == 0
    assert (result.id, result.digest != spliced.digest) == (spliced.id, True)


def test_each_platform_takes_over_its_own(tmp_path: Path) -> None:
    """All of an index at once, from a registry into it and out of it again."""
    made = Layout()
    images = []
    for arch in ("amd64", "arm64"):
        platform = {"os": "linux", "architecture": arch}
        tars = [layer(("arch", arch.encode())), *TARS[:2]]
        images.append({**made.manifest(tars, config=platform), "platform": platform})
    made.add(made.index(*images), "app")
    source = f"oci:{made.write(tmp_path / 'layout')}:app"
    with registry_in_memory(Oddly(0)) as registry:
        there = f"docker://{registry.host}/app:new"
        pushed = lamella.squash(source, output=there, platform="all", check=True)
        assert [one.ranges[0].spliced > 400_000 for one in pushed.platforms] == [True, True]
        assert sum(line.startswith("spliced   ") for line in summary(pushed)) == len(images)
        assert lamella.verify(source, there, platform="all") == []
