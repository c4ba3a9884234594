"""What is attached to an image: manifests that name it as their subject, and cosign's tags.

https://github.com/opencontainers/image-spec/blob/main/manifest.md (``subject``)
https://github.com/opencontainers/distribution-spec/blob/main/spec.md (referrers, and the tag that
has a list of them where a registry lists none)
https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md (tags)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.fields import MANIFEST
from lamella.spec.json import format_json, parse_json
from lamella.spec.media_type import OCI_MANIFEST
from lamella.transport.base import Destination, Source
from lamella.transport.index import Artifact

__all__ = [
    "COSIGN_SUFFIXES",
    "HasReferrers",
    "NewReferrer",
    "Referrer",
    "TakesReferrers",
    "fallback_tag",
    "renewed",
]

COSIGN_SUFFIXES = (".sig", ".att", ".sbom")
"""What follows the `fallback_tag` in the tags of cosign's signatures, attestations and SBOMs."""


@dataclass(frozen=True)
class Referrer:
    """Something that is attached to an image."""

    descriptor: Descriptor
    """Of its manifest, as it is listed."""
    suffix: str = ""
    """One of `COSIGN_SUFFIXES`: a tag says what it is about, and it has no subject."""


class HasReferrers(Source):
    """A source of a place that keeps what is attached to images."""

    @abstractmethod
    def referrers(self, digest: Digest) -> Sequence[Referrer]:
        """Return what is attached to a manifest or an index.

        Raises:
            LamellaError: the place can't be asked, or what it says makes no sense.
        """

    @abstractmethod
    def artifact(self, descriptor: Descriptor) -> Artifact | None:
        """Return one of them; None if it is listed, but not there."""


class TakesReferrers(Destination):
    """A destination at a place that keeps what is attached to images."""

    @abstractmethod
    def put_referrer(self, referrer: Referrer, artifact: Artifact, subject: Descriptor) -> None:
        """Take something that was attached to an image, and attach it to another.

        Args:
            referrer: how it was attached.
            artifact: what it is.
            subject: of the new image's manifest, or of its index, which may be put later.
        """


@dataclass(frozen=True)
class NewReferrer:
    """The manifest of something that is attached to a new image."""

    raw: bytes
    entry: Descriptor
    """As lists have it: with its type and annotations."""
    tag: str
    """What it is called; empty: it has a subject."""


def fallback_tag(digest: Digest) -> str:
    """Return the tag of the list of referrers where a registry has no other."""
    return f"{digest.algorithm}-{digest.hex}"


def renewed(referrer: Referrer, artifact: Artifact, subject: Descriptor) -> NewReferrer:
    """Return the manifest of what was attached to an image, about another one."""
    value = parse_json(artifact.raw, f"artifact {referrer.descriptor.digest.short}", MANIFEST)
    raw, tag = artifact.raw, ""
    if referrer.suffix:
        tag = fallback_tag(subject.digest) + referrer.suffix
    else:
        raw = format_json({**value, "subject": subject.to_json()})
    kind = value.get("mediaType") or referrer.descriptor.media_type or OCI_MANIFEST
    more: dict[str, object] = {"artifactType": artifact.kind}
    if annotations := value.get("annotations"):
        more["annotations"] = annotations
    return NewReferrer(raw, Descriptor(kind, Digest.of(raw), len(raw), more), tag)
