"""What is attached to an image in a repository: listed by the registry, or under tags."""

from __future__ import annotations

from lamella.errors import EngineError, MalformedImage
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.json import format_json
from lamella.spec.manifest import Index
from lamella.spec.media_type import OCI_INDEX
from lamella.transport.referrers import COSIGN_SUFFIXES, NewReferrer, Referrer, fallback_tag
from lamella.transport.registry.catalog import list_referrers
from lamella.transport.registry.repository import Repository, Stored

__all__ = ["find_referrers", "put_attached"]


def find_referrers(repository: Repository, digest: Digest) -> list[Referrer]:
    """Return what is attached to a manifest or an index.

    Raises:
        MalformedImage: a list makes no sense.
        EngineError: the registry can't be asked.
    """
    listed = list_referrers(repository, digest)
    if listed is None:
        index = _listed_by_tag(repository, digest)
        listed = list(index.manifests) if index else []
    found = [Referrer(descriptor) for descriptor in listed]
    for suffix in COSIGN_SUFFIXES:
        stored = repository.find_manifest(fallback_tag(digest) + suffix)
        if stored is not None:
            own = Descriptor(stored.media_type, stored.digest, len(stored.raw))
            found.append(Referrer(own, suffix))
    return found


def put_attached(repository: Repository, new: NewReferrer, subject: Digest) -> None:
    """Store a manifest whose blobs are there, so that it is found as attached to an image.

    Raises:
        EngineError: the registry refused it, or has something else under the tag of the list.
    """
    stored = Stored(new.raw, new.entry.media_type, new.entry.digest)
    listed = repository.put_manifest(stored, new.tag or str(new.entry.digest))
    if new.tag or listed == subject:
        return
    index = _listed_by_tag(repository, subject)
    value = dict(index.value) if index else {"schemaVersion": 2, "mediaType": OCI_INDEX}
    entries = [entry for entry in index.manifests if entry != new.entry] if index else []
    raw = format_json({**value, "manifests": [e.to_json() for e in (*entries, new.entry)]})
    whole = Stored(raw, OCI_INDEX, Digest.of(raw))
    repository.put_manifest(whole, fallback_tag(subject))


def _listed_by_tag(repository: Repository, digest: Digest) -> Index | None:
    tag = fallback_tag(digest)
    stored = repository.find_manifest(tag)
    if stored is None:
        return None
    try:
        return Index.parse(stored.raw, f"{repository}:{tag}")
    except MalformedImage as error:
        raise EngineError(f"{error}; this tag is that of the list of referrers") from error
