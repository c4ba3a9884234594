"""What BuildKit's provenance says of the images that a build has used."""

from __future__ import annotations

import json

import pytest

from lamella.errors import MalformedImage
from lamella.spec.provenance import UsedImage, used_images

_HEX = "8914eb54" * 8
_SHA = f"sha256:{_HEX}"


def statement(*dependencies: object, newer: bool = True) -> bytes:
    """Return a statement of SLSA provenance 1, or 0.2."""
    predicate: dict[str, object] = {"materials": dependencies}
    if newer:
        predicate = {"buildDefinition": {"resolvedDependencies": dependencies}}
    value = {"_type": "https://in-toto.io/Statement/v0.1", "predicate": predicate}
    return json.dumps(value).encode()


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("pkg:docker/alpine@3.17?platform=linux%2Famd64", "alpine:3.17"),
        ("pkg:docker/team/app@1", "team/app:1"),
        ("pkg:docker/reg.example%3A5000/team/app@1?platform=linux%2Farm64", ""),
        ("pkg:docker/alpine", "alpine"),
        (f"pkg:docker/alpine@{_SHA}", "alpine"),
    ],
)
def test_images_by_their_package_urls(uri: str, name: str, newer: bool) -> None:
    """With the name as Docker writes it, and the digest."""
    found = used_images(statement({"uri": uri, "digest": {"sha256": _HEX}}, newer=newer), "x")
    assert found == [UsedImage(name or "reg.example:5000/team/app:1", _SHA)]


def test_a_digest_may_be_in_the_url_alone() -> None:
    """As a qualifier, or as the version."""
    for uri in (f"pkg:docker/a@1?digest={_SHA}", f"pkg:docker/a@{_SHA}"):
        assert [one.digest for one in used_images(statement({"uri": uri}), "x")] == [_SHA]


@pytest.mark.parametrize(
    "item",
    [
        *(None, 7, "pkg:docker/a", [], {}, {"uri": 7}, {"uri": "pkg:docker/"}),
        {"uri": "https://github.com/moby/buildkit.git#refs/tags/v0.11.0", "digest": {"sha1": "4b"}},
        {"uri": "pkg:npm/docker@1"},
    ],
)
def test_what_is_no_image_is_passed_over(item: object) -> None:
    """Sources, and what makes no sense."""
    assert used_images(statement(item), "x") == []


def test_values_of_any_kind() -> None:
    """Nothing but broken JSON is an error; a digest that is none is none."""
    for raw in (b"[]", b"7", b'{"predicate": []}', b'{"predicate": {"buildDefinition": 1}}'):
        assert used_images(raw, "x") == []
    odd = {"uri": "pkg:docker/a@1?digest=nonsense", "digest": {"sha256": ["x"]}}
    assert used_images(statement(odd, odd), "x") == [UsedImage("a:1", "")]
    with pytest.raises(MalformedImage, match="x: expected JSON"):
        used_images(b"{", "x")
