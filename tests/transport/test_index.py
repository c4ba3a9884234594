"""Which image of an index is meant."""

from __future__ import annotations

import pytest

from lamella.errors import Ambiguous, UsageError
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.media_type import OCI_MANIFEST
from lamella.spec.platform import Platform
from lamella.transport.index import TaggedDescriptor, choose


def found(*platforms: str) -> list[TaggedDescriptor]:
    """Return an image for each of some platforms."""
    return [
        TaggedDescriptor(
            Descriptor(
                OCI_MANIFEST,
                Digest.of(bytes([number])),
                7,
                {"platform": vars(Platform.parse(text))},
            )
        )
        for number, text in enumerate(platforms)
    ]


@pytest.mark.parametrize(
    ("wanted", "platforms", "taken"),
    [
        ("linux/amd64", ["linux/amd64/v2", "linux/amd64"], 1),
        ("linux/amd64/v2", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v3"], 1),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2"], 1),
        ("linux/arm64", ["linux/amd64", "linux/arm64/v8"], 1),
        ("linux/arm64/v8", ["linux/amd64", "linux/arm64"], 1),
        ("linux/arm", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], 2),
        ("linux/x86_64", ["linux/amd64", "linux/arm64"], 0),
        ("linux/amd64", ["linux/amd64/v3", "linux/arm64"], 0),
    ],
)
def test_the_image_that_serves_best_is_taken(wanted: str, platforms: list[str], taken: int) -> None:
    """The baseline can be chosen beside a higher variant, by any of its names."""
    images = found(*platforms)
    assert choose(images, Platform.parse(wanted), "here") is images[taken]


def test_two_of_the_same_platform_are_told_apart_by_digest() -> None:
    """No `platform` could choose among them, so none is proposed."""
    images = found("linux/amd64", "linux/amd64/v1")
    with pytest.raises(Ambiguous, match=str(images[1].descriptor.digest)) as raised:
        choose(images, Platform.parse("linux/amd64"), "here")
    assert "`platform`" not in str(raised.value)


def test_several_that_do_not_serve_are_named() -> None:
    """Without a variant, any is taken if there is one; of two, one has to be named."""
    images = found("linux/amd64/v2", "linux/amd64/v3")
    with pytest.raises(Ambiguous, match="linux/amd64/v2, linux/amd64/v3"):
        choose(images, Platform.parse("linux/amd64"), "here")
    with pytest.raises(UsageError, match="no image for platform linux/amd64/v1"):
        choose(images, Platform.parse("linux/amd64/v1"), "here")
