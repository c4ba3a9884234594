"""What is attached to an image in a layout: entries of ``index.json`` that name it."""

from __future__ import annotations

from collections.abc import Iterator

from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index
from lamella.spec.media_type import INDEXES, MANIFESTS
from lamella.transport.file.entry_names import names_of
from lamella.transport.file.oci_layout import (
    INDEX,
    LayoutFiles,
    is_there,
    read_artifact,
    read_index,
)
from lamella.transport.referrers import COSIGN_SUFFIXES, Referrer, fallback_tag

__all__ = ["find_referrers"]


def find_referrers(files: LayoutFiles, digest: Digest) -> list[Referrer]:
    """Return what is attached to a manifest or an index, each thing once.

    Tools list it in ``index.json`` itself, or in an index with the tag that registries have.

    Raises:
        MalformedImage: the layout makes no sense.
    """
    index = Index.parse(files.read(INDEX), f"{files.where}: {INDEX}")
    found = {
        (referrer.descriptor.digest, referrer.suffix): referrer
        for entry in index.manifests
        if is_there(files, entry)
        for referrer in _of_entry(files, entry, digest)
    }
    return list(found.values())


def _of_entry(files: LayoutFiles, entry: Descriptor, digest: Digest) -> Iterator[Referrer]:
    names, tag = names_of(entry), fallback_tag(digest)
    if entry.media_type in INDEXES:
        listed = read_index(files, entry) if tag in names else None
        yield from map(Referrer, listed.manifests if listed else ())
    elif entry.media_type in MANIFESTS:
        suffixes = [suffix for suffix in COSIGN_SUFFIXES if tag + suffix in names]
        yield from (Referrer(entry, suffix) for suffix in suffixes)
        if entry.digest != digest and read_artifact(files, entry).subject == digest:
            yield Referrer(entry)
