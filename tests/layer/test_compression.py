from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from contextlib import suppress

import pytest

from lamella.errors import MalformedImage, UsageError
from lamella.layer.blob import Bytes, Layer
from lamella.layer.compression import Compression, detect, open_plain
from lamella.spec.digest import Digest
from tests.support.tars import layer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = layer(("a", bytes(range(256)) * 4000), "b")
HALF = len(PLAIN) // 2
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0skip"

PACKED: dict[str, tuple[str, bytes]] = {
    "plain": ("none", PLAIN),
    "gzip": ("gzip", gzip.compress(PLAIN)),
    "gzip of several members": ("gzip", gzip.compress(PLAIN[:HALF]) + gzip.compress(PLAIN[HALF:])),
    "gzip and zeros": ("gzip", gzip.compress(PLAIN) + bytes(512)),
    "zstd": ("zstd", zstd.compress(PLAIN)),
    "zstd of several frames": ("zstd", zstd.compress(PLAIN[:HALF]) + zstd.compress(PLAIN[HALF:])),
    "zstd with a skippable frame": ("zstd", SKIPPABLE + zstd.compress(PLAIN) + SKIPPABLE),
    "xz": ("xz", lzma.compress(PLAIN)),
    "bzip2": ("bzip2", bz2.compress(PLAIN)),
    "bzip2 of several streams": ("bzip2", bz2.compress(PLAIN[:HALF]) + bz2.compress(PLAIN[HALF:])),
}


def unpacked(kind: str, packed: bytes, step: int = 10_000) -> bytes:
    """Read all of a packed stream."""
    reader = open_plain(io.BytesIO(packed), kind, "there")
    return b"".join(iter(lambda: reader.read(step), b""))


@pytest.mark.parametrize("name", PACKED)
def test_every_kind_is_known_and_read(name: str) -> None:
    """By its first bytes, whatever a media type says; to the last byte."""
    kind, packed = PACKED[name]
    assert detect(packed[:6]) == kind
    assert unpacked(kind, packed) == PLAIN
    assert Layer(Digest.of(PLAIN), Bytes(packed), "there").compression == kind


@pytest.mark.parametrize(
    "head", [b"", b"\x1f", b"BZ", b"\x28\xb5\x2f", b"\x60\x2a\x4d\x18", b"ustar"]
)
def test_what_is_not_compressed(head: bytes) -> None:
    """Anything else is plain, also if there are too few bytes to tell."""
    assert detect(head) == "none"


@pytest.mark.parametrize(
    "name", [name for name in PACKED if name not in {"plain", "gzip and zeros"}]
)
def test_cut_off_is_refused(name: str) -> None:
    """Wherever the stream breaks off, it is an error of the image."""
    kind, packed = PACKED[name]
    for length in (len(packed) // 3, len(packed) - 1):
        with pytest.raises(MalformedImage, match=r"^there: .* damaged or cut off"):
            unpacked(kind, packed[:length])


@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
def test_damage_raises_one_kind_of_error(kind: str) -> None:
    """A wrong byte raises the one error, or gives other bytes, which the layer's digest tells."""
    packed = PACKED[kind][1]
    errors = 0
    for at in range(0, len(packed), 1 + len(packed) // 150):
        wrong = packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :]
        try:
            unpacked(kind, wrong)
        except MalformedImage:
            errors += 1
    assert errors > 20


@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
def test_rubbish_behind_the_stream(kind: str) -> None:
    """It is refused or passed over, as the format has it; what was packed is never changed."""
    with suppress(MalformedImage):
        assert unpacked(kind, PACKED[kind][1] + b"rubbish") == PLAIN


@pytest.mark.parametrize(
    "text",
    ["", "lzma", "GZIP", "gzip:0", "gzip:10", "gzip:x", "gzip:-1", "zstd:0", "zstd:23", "none:1"],
)
def test_unknown_compression_is_refused(text: str) -> None:
    """Unknown kinds and levels."""
    with pytest.raises(UsageError, match="compression"):
        Compression.parse(text)
