from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import threading
import zlib
from contextlib import closing

import pytest

from lamella.errors import ImageError, MalformedImage, Unsupported, UsageError
from lamella.layer.blob import Bytes, Layer
from lamella.layer.compression import Compression, detect, open_plain
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.spec.codec import Codec
from lamella.spec.digest import Digest
from tests.support.machine import patience
from tests.support.tars import layer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = layer(("a", bytes(range(256)) * 1000), "b")
HALF = len(PLAIN) // 2
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0skip"

WINDOW_LOG = zstd.CompressionParameter.window_log


def with_window(log: int) -> bytes:
    """Return one zstd frame that does not say how large its content is."""
    frame = zstd.ZstdCompressor(options={WINDOW_LOG: log})
    return frame.compress(PLAIN) + frame.flush()


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
    "xz of several streams": ("xz", lzma.compress(PLAIN[:HALF]) + lzma.compress(PLAIN[HALF:])),
    "zstd with frames of nothing": (
        "zstd",
        zstd.compress(b"") + zstd.compress(PLAIN) + zstd.compress(b""),
    ),
    "zstd and zeros": ("zstd", zstd.compress(PLAIN) + bytes(512)),
    "xz and zeros": ("xz", lzma.compress(PLAIN) + bytes(512)),
    "bzip2 and zeros": ("bzip2", bz2.compress(PLAIN) + bytes(512)),
    "zstd --long=29": ("zstd", zstd.compress(PLAIN, options={WINDOW_LOG: 29})),
    "zstd of a window of 2^29, size unknown": ("zstd", with_window(29)),
    "zstd of a window of 2^28, size unknown": ("zstd", with_window(28)),
    "bzip2 of several streams": ("bzip2", bz2.compress(PLAIN[:HALF]) + bz2.compress(PLAIN[HALF:])),
}


def unpacked(kind: str, packed: bytes, step: int = 10_000) -> bytes:
    """Read all of a packed stream."""
    with closing(open_plain(io.BytesIO(packed), Codec(kind), "there")) as reader:
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
    "name", [name for name in PACKED if name != "plain" and not name.endswith("and zeros")]
)
def test_cut_off_is_refused(name: str) -> None:
    """Wherever the stream breaks off, it is an error of the image."""
    kind, packed = PACKED[name]
    for length in (len(packed) // 3, len(packed) - 1):
        with pytest.raises(MalformedImage, match=r"^there: .* damaged or cut off"):
            unpacked(kind, packed[:length])


@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
def test_damage_raises_one_kind_of_error(kind: str) -> None:
    """A wrong byte raises an error of the image, or gives other bytes, which its digest tells.

    It may also ask for too large a window, which is refused as such.
    """
    packed = PACKED[kind][1]
    errors = 0
    for at in range(0, len(packed), 1 + len(packed) // 150):
        wrong = packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :]
        try:
            unpacked(kind, wrong)
        except ImageError:
            errors += 1
    assert errors > 20


@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
@pytest.mark.parametrize("between", [b"", bytes(64)], ids=["at once", "after zeros"])
def test_rubbish_behind_the_stream(kind: str, between: bytes) -> None:
    """It is refused, whatever the kind: Podman and umoci do not take it either."""
    with pytest.raises(MalformedImage, match=f"^there: {kind} data are damaged or cut off"):
        unpacked(kind, PACKED[kind][1] + between + b"rubbish")


NOTHING = {
    "gzip": gzip.compress(b""),
    "zstd": zstd.compress(b""),
    "xz": lzma.compress(b""),
    "bzip2": bz2.compress(b""),
}


def frame(window: int, *, content: bytes = b"", descriptor: int = 0) -> bytes:
    """Return a zstd frame with a header of one's own and nothing in it."""
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor, window]) + content + b"\1\0\0"


def xz_with_dictionary(bits: int) -> bytes:
    """Return an xz stream that asks for another dictionary than it needs."""
    packed = bytearray(lzma.compress(PLAIN))
    end = 12 + 4 * (packed[12] + 1) - 4
    at = packed.index(b"\x21\x01", 12) + 2
    packed[at] = bits
    packed[end : end + 4] = zlib.crc32(packed[12:end]).to_bytes(4, "little")
    return bytes(packed)


@pytest.mark.parametrize(
    ("kind", "packed", "size"),
    [
        ("zstd", frame(19 << 3 | 1), 576),
        ("zstd", frame(20 << 3), 1024),
        ("zstd", frame(21 << 3), 2048),
        ("zstd", frame(31 << 3 | 7), 3932160),
        ("zstd", frame(0, content=b"\0\0\x40", descriptor=0xA0), 1024),
        ("zstd", zstd.compress(PLAIN) + frame(20 << 3), 1024),
        ("xz", xz_with_dictionary(35), 768),
        ("xz", xz_with_dictionary(40), 4096),
        ("xz", lzma.compress(PLAIN) + xz_with_dictionary(36), 1024),
    ],
)
def test_too_large_a_window_is_refused(kind: str, packed: bytes, size: int) -> None:
    """The error names what was asked for and the limit, before any memory is taken."""
    words = f"^there: {kind} .* expected a window of at most 512 MiB, got {size} MiB"
    with pytest.raises(Unsupported, match=words):
        unpacked(kind, packed)


def test_the_largest_dictionary_is_read() -> None:
    """An xz stream may ask for as much as a zstd frame."""
    assert unpacked("xz", xz_with_dictionary(34)) == PLAIN


def test_a_dictionary_of_zstd_is_no_damage_to_guess_at() -> None:
    """A frame that needs a dictionary says so in the error."""
    with pytest.raises(MalformedImage, match="need a dictionary"):
        unpacked("zstd", frame(0x58, content=b"\7", descriptor=1))


@pytest.mark.timeout(patience(60))
@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
def test_many_streams_of_nothing(kind: str) -> None:
    """They take time in proportion to their size, and give nothing."""
    one = NOTHING[kind]
    assert unpacked(kind, one * (40_000 // len(one))) == b""


class Endless(io.RawIOBase):
    """The same bytes again and again."""

    def __init__(self, part: bytes) -> None:
        self.part, self.read_once = part * 1000, threading.Event()

    def read(self, size: int = -1) -> bytes:
        """Return some, whatever is asked for."""
        self.read_once.set()
        return self.part


@pytest.mark.timeout(patience(60))
@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
def test_nobody_waits_for_streams_of_nothing(kind: str) -> None:
    """Unpacking ends when nobody wants the layer any more, though it never gives a byte."""
    endless = Endless(NOTHING[kind])
    blob = Bytes(b"")
    object.__setattr__(blob, "open", lambda: endless)
    with LayerOpener(Spool()) as opener:
        one = Layer(Digest.of(PLAIN), blob, "there")
        object.__setattr__(one, "compression", kind)
        opener.check(one)
        endless.read_once.wait()


@pytest.mark.timeout(patience(120))
def test_large_windows_wait_for_each_other() -> None:
    """Layers with the largest window are opened at once, also if some are damaged."""
    good, bad = PACKED["zstd of a window of 2^29, size unknown"][1], with_window(29)[:-20]
    stored = [good, bad, good, good, bad, good]
    some = [Layer(Digest.of(PLAIN), Bytes(one), f"layer {n}") for n, one in enumerate(stored)]
    with LayerOpener(Spool()) as opener:
        with pytest.raises(MalformedImage, match="layer 1: zstd data are damaged or cut off"):
            opener.open(some)
        assert [tar.size for tar in opener.open([some[0], *some[2:4]])] == [len(PLAIN)] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lzma",
        "GZIP",
        "gzip:0",
        "gzip:10",
        "gzip:x",
        "gzip:-1",
        "zstd:0",
        "zstd:23",
        "none:1",
        "gzip:",
        "gzip:long",
        "gzip:9,long",
        "zstd:3,",
        "zstd:,long",
        "zstd:long,3",
        "zstd:\N{SUPERSCRIPT TWO}",
    ],
)
def test_unknown_compression_is_refused(text: str) -> None:
    """Unknown kinds and levels."""
    with pytest.raises(UsageError, match="compression"):
        Compression.parse(text)


@pytest.mark.parametrize("text", ["none", "gzip", "gzip:9", "zstd:22", "zstd:long", "zstd:3,long"])
def test_a_compression_reads_as_it_was_typed(text: str) -> None:
    """In messages, in attestations, and as a parameter."""
    assert str(Compression.parse(text)) == text
