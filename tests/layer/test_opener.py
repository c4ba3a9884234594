"""Layers are opened once, and are what their digests say."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence

import pytest

from lamella.errors import DigestMismatch, MalformedImage, MalformedTar
from lamella.layer.blob import Bytes, Layer
from lamella.layer.opener import LayerOpener
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from tests.support.tars import layer

TAR = layer(("a", b"x" * 100_000))
OTHER = layer("b")


def stored(
    plain: bytes, packed: bytes, *, diff_id: bytes | None = None, described: bool = True
) -> Layer:
    """Return a layer of some bytes, which may not be what they should be."""
    want = Descriptor("", Digest.of(packed), len(packed)) if described else None
    return Layer(Digest.of(plain if diff_id is None else diff_id), Bytes(packed), "there", want)


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("packed", [TAR, gzip.compress(TAR)], ids=["plain", "gzip"])
def test_sound_layer(packed: bytes, described: bool) -> None:
    """It is read, and nothing is said."""
    with LayerOpener(Spool()) as opener:
        (tar,) = opener.open([stored(TAR, packed, described=described)])
        assert tar.read_at(0, tar.size) == TAR
        opener.verify()


def test_layer_is_opened_once() -> None:
    """However often it is asked for."""
    one, other = stored(TAR, gzip.compress(TAR)), stored(TAR, gzip.compress(TAR))
    with LayerOpener(Spool()) as opener:
        first = opener.open([one, other])
        assert first[0] is opener.open([one])[0]
        assert first[0] is not first[1]


@pytest.mark.parametrize("way", [LayerOpener.open, LayerOpener.open_headers])
def test_a_layer_is_not_taken_for_one_that_is_gone(
    way: Callable[[LayerOpener, Sequence[Layer]], list[LayerTar]],
) -> None:
    """Also where its memory is that of another, which its owner let go."""
    with LayerOpener(Spool()) as opener:
        for number in range(50):
            want = layer(f"file{number}")
            [tar] = way(opener, [stored(want, gzip.compress(want))])
            assert tar.read_at(0, tar.size) == want


def test_plain_layer_is_read_where_it_is() -> None:
    """Nothing is copied."""
    one = stored(TAR, TAR)
    with LayerOpener(Spool("/nowhere")) as opener:
        (tar,) = opener.open([one])
        assert id(tar) == id(one.blob)


def wrong_layers() -> dict[str, Layer]:
    """Return layers that are not what they say."""
    packed = gzip.compress(TAR)
    longer = Descriptor("", Digest.of(packed), len(packed) + 1)
    another = Descriptor("", Digest.of(b"x"), len(packed))
    plain = Descriptor("", Digest.of(b"x"), len(TAR))
    return {
        "plain, wrong diff_id": stored(TAR, TAR, diff_id=OTHER, described=False),
        "packed, wrong diff_id": stored(TAR, packed, diff_id=OTHER),
        "packed, wrong size": Layer(Digest.of(TAR), Bytes(packed), "there", longer),
        "packed, wrong digest": Layer(Digest.of(TAR), Bytes(packed), "there", another),
        "plain, wrong digest": Layer(Digest.of(TAR), Bytes(TAR), "there", plain),
        "rubbish behind": stored(TAR, TAR + b"x", diff_id=TAR, described=False),
    }


def read_and_verify(one: Layer) -> None:
    """Do what a squash does."""
    with LayerOpener(Spool()) as opener:
        opener.open([one])
        opener.verify()


@pytest.mark.parametrize("name", wrong_layers())
def test_wrong_layer_is_found_out(name: str) -> None:
    """When it is opened, or at the latest when all is verified."""
    with pytest.raises(DigestMismatch, match=r"^there"):
        read_and_verify(wrong_layers()[name])


@pytest.mark.parametrize("name", wrong_layers())
def test_wrong_layer_that_is_only_copied_is_found_out(name: str) -> None:
    """Unless whoever copies it checks it against its descriptor."""
    wrong = wrong_layers()[name]
    with LayerOpener(Spool()) as opener:
        opener.check(wrong)
        if wrong.compression != "none":
            opener.verify()
        else:
            with pytest.raises(DigestMismatch):
                opener.verify()


def test_damaged_layer() -> None:
    """Compressed data that break off."""
    wrong = stored(TAR, gzip.compress(TAR)[:-9])
    with LayerOpener(Spool()) as opener, pytest.raises(MalformedImage, match=r"^there"):
        opener.open([wrong])


def test_verified_layer_is_not_read_again() -> None:
    """Whoever made it has checked it."""
    known = Layer(Digest.of(OTHER), Bytes(TAR), "there", verified=True)
    with LayerOpener(Spool()) as opener:
        opener.open([known])
        opener.check(known)
        opener.verify()


def test_wrong_digest_explains_a_damaged_tar() -> None:
    """The cause is told, not its effect."""
    error = MalformedTar("nonsense")
    with LayerOpener(Spool()) as opener:
        opener.open([stored(TAR, TAR, diff_id=OTHER, described=False)])
        with pytest.raises(DigestMismatch), opener.explaining():
            raise error
    with LayerOpener(Spool()) as opener:
        opener.open([stored(TAR, TAR)])
        with pytest.raises(MalformedTar, match="nonsense"), opener.explaining():
            raise error
