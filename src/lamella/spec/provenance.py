"""Which images a build has used, as BuildKit's provenance tells it.

https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from lamella.errors import InvalidReference, MalformedImage
from lamella.spec.digest import Digest
from lamella.spec.json import load_json

__all__ = ["PREDICATE", "STATEMENT", "UsedImage", "used_images"]

STATEMENT = "application/vnd.in-toto+json"
"""Media type of an attestation's blob."""
PREDICATE = "https://slsa.dev/provenance/"
"""How the type of a statement begins that is one of provenance."""
_DOCKER = "pkg:docker/"


class UsedImage(NamedTuple):
    """An image that a build has used."""

    name: str
    """As Docker writes it: without a registry it is Docker Hub's."""
    digest: str
    """Of its index, or of its manifest."""


def used_images(raw: bytes, where: str) -> list[UsedImage]:
    """Return the images that a statement names, each once; what is no image is passed over.

    Args:
        raw: a statement of in-toto, with a predicate of SLSA provenance, 0.2 or 1.
        where: what messages call it.

    Raises:
        MalformedImage: it is no JSON.
    """
    try:
        value = load_json(raw)
    except ValueError as error:
        raise MalformedImage(where, f"expected JSON: {error}") from error
    predicate = _object(_object(value).get("predicate"))
    newer = _object(predicate.get("buildDefinition")).get("resolvedDependencies")
    found = (_image(item) for told in (newer, predicate.get("materials")) for item in _list(told))
    return list(dict.fromkeys(image for image in found if image))


def _image(item: object) -> UsedImage | None:
    """Read one dependency: a package URL, https://github.com/package-url/purl-spec."""
    uri = _object(item).get("uri")
    if not isinstance(uri, str) or not uri.startswith(_DOCKER):
        return None
    path, _, qualifiers = uri.removeprefix(_DOCKER).partition("#")[0].partition("?")
    name, _, version = map(unquote, path.partition("@"))
    told = [
        f"sha256:{_object(_object(item).get('digest')).get('sha256')}",
        *parse_qs(qualifiers).get("digest", []),
        version,
    ]
    digest = next(filter(_is_digest, told), "")
    tag = f":{version}" if version and ":" not in version else ""
    return UsedImage(f"{name}{tag}", digest) if name else None


def _is_digest(text: str) -> bool:
    try:
        Digest.parse(text)
    except InvalidReference:
        return False
    return True


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Iterator[object]:
    return iter(value if isinstance(value, list) else ())
