"""What is attached to an image, and what becomes of it when the image is squashed.

An SBOM says which packages an image has; that is as true of the new image, if its files are proven
to be the same. Signatures and attestations are about one digest, and stay with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lamella.errors import EngineError, ImageError, ImageNotFound
from lamella.operations.result import ReferrerOutcome
from lamella.progress import Progress
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import MANIFESTS
from lamella.transport.base import Destination, Source
from lamella.transport.index import Artifact
from lamella.transport.referrers import HasReferrers, Referrer, TakesReferrers

__all__ = ["Attached"]

_SBOM = ("spdx", "cyclonedx", "syft", "sbom")
_OF_DIGEST = ("in-toto", "dsse", "sigstore", "cosign", "notary", "signature", "attestation")
"""Words in the media types of what is about one digest, whatever else it holds."""
_MISSING, _ABOUT_DIGEST, _UNKNOWN = (
    "it is listed, but missing",
    "it is about the image as it was",
    "it is no SBOM, so what it says may not be true of the new image",
)
_INCOMPLETE = "paths are left out of the new image, so it may list too much"
_NOT_WANTED = "not asked for"


@dataclass(frozen=True)
class _FoundReferrer:
    referrer: Referrer
    artifact: Artifact | None
    """None: it is listed, but missing, or it is no manifest."""

    @property
    def kind(self) -> str:
        listed = str(self.referrer.descriptor.raw.get("artifactType") or "")
        return self.artifact.kind if self.artifact else listed

    @property
    def is_sbom(self) -> bool:
        """Whether it is a plain SBOM, neither signed nor within an attestation."""
        return self.artifact is not None and not self.is_about_digest and _is_sbom(self.artifact)

    @property
    def is_about_digest(self) -> bool:
        """Whether it is a signature or an attestation."""
        content = self.artifact.layer_types if self.artifact else ()
        types = " ".join((self.kind, *content)).lower()
        by_name = self.referrer.suffix in {".sig", ".att"}
        return by_name or any(word in types for word in _OF_DIGEST)

    def reason_against(self, *, complete: bool, wanted: bool) -> str:
        """Return why it is not attached to the new image; empty: it is."""
        if self.is_about_digest:
            return _ABOUT_DIGEST
        if self.artifact is None:
            return _MISSING if self.referrer.descriptor.media_type in MANIFESTS else _UNKNOWN
        if not self.is_sbom:
            return _UNKNOWN
        if not wanted:
            return _NOT_WANTED
        return "" if complete else _INCOMPLETE


def _is_sbom(artifact: Artifact) -> bool:
    own, content = artifact.kind.lower(), [kind.lower() for kind in artifact.layer_types]
    return any(word in own for word in _SBOM) or (
        bool(content) and all(any(word in kind for word in _SBOM) for kind in content)
    )


class Attached:
    """What is attached to one image: looked for, judged, told, and in part attached to the new."""

    def __init__(self, how: str | None, progress: Progress) -> None:
        """Begin with nothing.

        Args:
            how: ``copy``, ``drop``, or None: nothing is looked for.
            progress: is told.
        """
        self._how, self._progress = how, progress
        self._found: list[_FoundReferrer] = []
        self._complete = True

    def look(self, source: Source, document: Manifest | Index | None) -> None:
        """Find what is attached to an image.

        Args:
            source: where it is.
            document: its manifest or its index; None: it has none.

        Raises:
            LamellaError: the place can't be asked, and it is to be copied.
        """
        if self._how is None or document is None or not isinstance(source, HasReferrers):
            return
        try:
            self._found = list(_find(source, document.digest))
        except (EngineError, ImageError) as error:
            if self._how == "copy":
                raise
            self._progress.debug(f"can't tell what is attached to the image: {error}")

    def judge(self, *, complete: bool) -> None:
        """Say what becomes of it.

        Args:
            complete: whether the new image has all files of the old one.
        """
        self._complete = complete
        outcomes = self.outcomes
        if self._how == "copy":
            for reason in dict.fromkeys(one.reason for one in outcomes):
                why = f"not attached to the new one: {reason}" if reason else "to the new one, too"
                self._tell([one for one in outcomes if one.reason == reason], why)
        elif outcomes:
            has_sbom = any(one.reason == _NOT_WANTED for one in outcomes)
            hint = "; `referrers` copy attaches SBOMs" if has_sbom else ""
            self._tell(outcomes, f"not attached to the new one{hint}")

    def _tell(self, outcomes: Sequence[ReferrerOutcome], what: str) -> None:
        kinds = ", ".join(dict.fromkeys(one.artifact_type or "unknown" for one in outcomes))
        self._progress.note(f"attached to the image: {kinds}: {what}")

    @property
    def outcomes(self) -> tuple[ReferrerOutcome, ...]:
        """What becomes of each."""
        return tuple(map(self._outcome, self._found))

    def _outcome(self, found: _FoundReferrer) -> ReferrerOutcome:
        reason = found.reason_against(complete=self._complete, wanted=self._how == "copy")
        digest = str(found.referrer.descriptor.digest)
        return ReferrerOutcome(found.kind, digest, "left" if reason else "copied", reason)

    def carry(self, destination: Destination, document: Manifest | Index | None) -> None:
        """Attach to a new image what may be.

        Args:
            destination: where the new image goes.
            document: its manifest or its index; None: the destination keeps none.

        Raises:
            LamellaError: it can't be read, or the destination won't have it.
        """
        if document is None or not isinstance(destination, TakesReferrers):
            return
        for found, outcome in zip(self._found, self.outcomes, strict=True):
            if found.artifact is not None and outcome.state == "copied":
                destination.put_referrer(found.referrer, found.artifact, document.descriptor)


def _find(source: HasReferrers, digest: Digest) -> Iterator[_FoundReferrer]:
    for referrer in source.referrers(digest):
        artifact = None
        if referrer.descriptor.media_type in MANIFESTS:
            try:
                artifact = source.artifact(referrer.descriptor)
            except ImageNotFound:
                artifact = None  # it is listed, but was removed
        yield _FoundReferrer(referrer, artifact)
