"""Manifests, indexes, configs, descriptors, platforms: read strictly, kept raw."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamella import limits
from lamella.errors import InvalidReference, MalformedImage
from lamella.spec import fields
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.json import format_json, parse_json
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import OCI_LAYER, OCI_MANIFEST, is_foreign, oci_layer
from lamella.spec.platform import Platform
from tests.support.images import config_of

DIGEST = str(Digest.of(b"x"))
DESCRIPTOR = {"mediaType": OCI_LAYER, "digest": DIGEST, "size": 7}


def manifest(**more: object) -> bytes:
    """Return a manifest."""
    return json.dumps({"config": DESCRIPTOR, "layers": [DESCRIPTOR], **more}).encode()


def test_raw_bytes_are_the_truth() -> None:
    """The digest is that of the bytes as read, however they are spaced."""
    raw = b"\n" + manifest(mediaType=OCI_MANIFEST) + b"\n "
    found = Manifest.parse(raw, "there")
    assert (found.digest, found.raw, found.media_type) == (Digest.of(raw), raw, OCI_MANIFEST)
    raw = json.dumps(config_of([]), indent=7).encode()
    assert Config.parse(raw, "there").digest == Digest.of(raw)


def test_media_type_may_be_missing() -> None:
    """OCI 1.0 has none in a manifest."""
    assert Manifest.parse(manifest(), "there").media_type == ""
    assert Manifest.parse(manifest(mediaType=None), "there").media_type == ""


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff", b"[" * 100_000, b"{}"),
        *(manifest(config=None), manifest(mediaType=7), manifest(layers={}), manifest(layers=[7])),
        manifest(layers=[{"digest": DIGEST}]),
    ],
)
def test_what_is_no_manifest(raw: bytes) -> None:
    """It is said where and what, in one kind of error."""
    with pytest.raises(MalformedImage, match=r"^there"):
        Manifest.parse(raw, "there")


@pytest.mark.parametrize("raw", [b"{}", b'{"manifests": {}}', b'{"manifests": [{}]}', b"[]"])
def test_what_is_no_index(raw: bytes) -> None:
    """An index has a list of descriptors."""
    with pytest.raises(MalformedImage, match=r"^there"):
        Index.parse(raw, "there")


def test_index() -> None:
    """Its manifests are descriptors with a platform; attestations are told apart."""
    annotations = {"vnd.docker.reference.type": "attestation-manifest"}
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    raw = {
        "manifests": [
            {**DESCRIPTOR, "platform": platform},
            {**DESCRIPTOR, "annotations": annotations},
        ]
    }
    first, second = Index.parse(json.dumps(raw).encode(), "there").manifests
    assert (first.platform, first.is_attestation) == (platform, False)
    assert (second.platform, second.is_attestation) == ({}, True)


@pytest.mark.parametrize(
    "change",
    [
        *({"size": -1}, {"size": None}, {"size": True}, {"size": 1.0}, {"size": "1"}),
        *({"digest": None}, {"digest": "sha256:x"}, {"digest": 7}, {"mediaType": 7}),
    ],
)
def test_what_is_no_descriptor(change: dict[str, object]) -> None:
    """Digest, size and media type are checked."""
    raw = json.dumps({**DESCRIPTOR, **change}).encode()
    with pytest.raises(MalformedImage, match=r"^there"):
        Descriptor.parse(parse_json(raw, "there", fields.DESCRIPTOR), "there")


def test_descriptor_keeps_what_it_does_not_know() -> None:
    """Unknown fields survive, what is known leads."""
    raw = {"urls": ["u"], "digest": DIGEST, "size": 2**70, "mediaType": OCI_LAYER, "future": [1]}
    found = Descriptor.parse(raw, "there")
    assert found.to_json() == raw
    assert list(found.to_json())[:3] == ["mediaType", "digest", "size"]
    assert Descriptor(OCI_LAYER, Digest(DIGEST), 7) == Descriptor.parse(DESCRIPTOR, "there")


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"rootfs": None},
            {"rootfs": []},
            {"rootfs": {"diff_ids": "x"}},
            {"rootfs": {"diff_ids": ["x"]}},
        ),
        *({"rootfs": {"diff_ids": [7]}}, {"history": {}}, {"history": [7]}, {"history": "x"}),
    ],
)
def test_what_is_no_config(change: dict[str, object]) -> None:
    """Layers and history are checked; the rest is none of our business."""
    with pytest.raises(MalformedImage, match=r"^there"):
        Config.parse(json.dumps({**config_of([]), **change}).encode(), "there")


@pytest.mark.parametrize("diff_ids", [{}, {"diff_ids": None}, {"diff_ids": []}])
def test_image_without_layers(diff_ids: dict[str, object]) -> None:
    """An image may have none."""
    raw = json.dumps({**config_of([]), "rootfs": diff_ids}).encode()
    assert Config.parse(raw, "there").diff_ids == ()


def test_views_of_a_config() -> None:
    """Text where there is text, else nothing."""
    raw: dict[str, Any] = {**config_of([DIGEST]), "variant": None, "created": None}
    found = Config.parse(json.dumps(raw).encode(), "there")
    assert (found.text("os"), found.text("variant"), found.text("no")) == ("linux", "", "")
    assert (found.history, found.diff_ids) == (None, (DIGEST,))


def test_json_survives() -> None:
    """Big numbers, unknown keys, their order, text beyond ASCII: all of it comes out again."""
    raw = b'{"b":1,"a":12345678901234567890123,"c":{"\\u00e9":[1.5,null,true,1e400,0.10,-0]},"":""}'
    assert format_json(parse_json(raw, "there", fields.CONFIG)) == raw


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("none", OCI_LAYER), ("gzip", OCI_LAYER + "+gzip"), ("zstd", OCI_LAYER + "+zstd")],
)
def test_media_types_of_layers(kind: str, media_type: str) -> None:
    """By compression."""
    assert oci_layer(Codec(kind)) == media_type
    assert not is_foreign(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
)
def test_foreign_layers(media_type: str) -> None:
    """Layers whose bytes need not be there."""
    assert is_foreign(media_type)


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm/v7", "windows/amd64"])
def test_platforms_round_trip(text: str) -> None:
    """As they are written."""
    assert str(Platform.parse(text)) == text


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux//v7"])
def test_what_is_no_platform(text: str) -> None:
    """Two or three parts."""
    with pytest.raises(InvalidReference, match="OS/ARCH"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("linux/x86_64", "linux/amd64"),
        ("Linux/AMD64/v1", "linux/amd64"),
        ("linux/aarch64", "linux/arm64/v8"),
        ("linux/arm64", "linux/arm64/8"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("arm64", "linux/arm64"),
        ("x86_64", "linux/amd64"),
    ],
)
def test_platforms_that_are_the_same(text: str, same: str) -> None:
    """Names and variants are spelled in several ways; engines take them alike."""
    assert Platform.parse(text).normalized == Platform.parse(same).normalized


@pytest.mark.parametrize(
    ("wanted", "best_first"),
    [
        ("linux/amd64", ["linux/amd64", "linux/amd64/v2"]),
        ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v1"]),
        ("linux/arm", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/arm/v8"]),
        ("linux/arm64/v9", ["linux/arm64/v9", "linux/arm64"]),
    ],
)
def test_images_that_serve_a_platform(wanted: str, best_first: list[str]) -> None:
    """The very one is best, then lower variants; others only where no variant is asked for."""
    found = [Platform.parse(text) for text in best_first]
    ranks = [Platform.parse(wanted).rank(vars(platform)) for platform in found]
    assert None not in ranks
    assert ranks == sorted(set(ranks), key=lambda rank: rank or 0)


def test_higher_variants_do_not_serve() -> None:
    """What a lower machine can't run is not taken for it."""
    assert Platform.parse("linux/amd64/v2").rank(vars(Platform.parse("linux/amd64/v3"))) is None
    assert Platform.parse("linux/arm/v6").rank(vars(Platform.parse("linux/arm"))) is None


def test_platforms_match() -> None:
    """A variant that isn't given is any."""
    found = {"os": "linux", "architecture": "arm", "variant": "v7"}
    assert Platform.parse("linux/arm").matches(found)
    assert Platform.parse("linux/arm/v7").matches(found)
    assert not Platform.parse("linux/arm/v6").matches(found)
    assert not Platform.parse("linux/amd64").matches(found)
    assert not Platform.parse("linux/arm").matches({})
    assert Platform.of_host().os == "linux"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"annotations":{"a":5}}', "annotations.a: expected text, got 5"),
        (b'{"layers":[{"size":1.0}]}', r"layers\[0\].size: expected an integer, got 1.0"),
        (b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested more than 500 deep"),
        (b'{"schemaVersion":' + b"9" * 5000 + b"}", "schemaVersion: expected an integer, got 99"),
        (b'{"x":NaN}', "NaN is not a JSON value"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b" " * (limits.DOCUMENT + 1), "too large: expected 8388608 bytes, got 8388609"),
    ],
)
def test_documents_that_go_refuses(raw: bytes, reason: str) -> None:
    """The error says which field, what is expected there and what was found, in one short line."""
    with pytest.raises(MalformedImage, match=f"^there: .*{reason}") as caught:
        parse_json(raw, "there", fields.MANIFEST)
    assert len(str(caught.value)) < 200


def test_a_rewritten_document_says_nothing_twice() -> None:
    """Fields in another case, or twice, are the same field: Go would read the last one."""
    raw = (
        b'{"Config":{"digest":"%(d)s","size":1},"LAYERS":[],"layers":[{"digest":"%(d)s","size":2}],'
        b'"Annotations":{"a":"b"},"annotations":{"c":"d"},"x":"\\ud800","big":1e400}'
    ) % {b"d": DIGEST.encode()}
    found = Manifest.parse(raw, "there")
    assert [layer.size for layer in found.layers] == [2]
    written = format_json(found.value)
    assert list(json.loads(written)) == ["config", "layers", "annotations", "x", "big"]
    assert found.value["annotations"] == {"a": "b", "c": "d"}
    assert b'"x":"\\ufffd","big":1e400' in written


def test_what_json_cannot_say_is_not_written() -> None:
    """Half a surrogate pair would be read as another text, and infinity by nobody."""
    for value in ("\udcff", float("inf"), ["\ud800"]):
        with pytest.raises(ValueError, match=r"surrogates|Out of range"):
            format_json({"a": value})
