"""Media types of manifests, indexes, configs and layers, OCI's and Docker's.

https://github.com/opencontainers/image-spec/blob/main/media-types.md
"""

from __future__ import annotations

from lamella.spec.codec import Codec

__all__ = [
    "DOCKER_CONFIG",
    "DOCKER_INDEX",
    "DOCKER_MANIFEST",
    "INDEXES",
    "MANIFESTS",
    "OCI_CONFIG",
    "OCI_INDEX",
    "OCI_LAYER",
    "OCI_MANIFEST",
    "codec_of",
    "docker_layer",
    "is_foreign",
    "oci_layer",
    "oci_type",
]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

_DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"
_OCI_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"

_OCI_TYPES = {
    DOCKER_INDEX: OCI_INDEX,
    DOCKER_MANIFEST: OCI_MANIFEST,
    DOCKER_CONFIG: OCI_CONFIG,
}

INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

_OCI_SUFFIX = {Codec.NONE: "", Codec.GZIP: "+gzip", Codec.ZSTD: "+zstd"}


def codec_of(media_type: str) -> Codec:
    """Return how a layer of a media type is compressed: not at all, or by gzip or zstd."""
    return next(
        (kind for kind in (Codec.GZIP, Codec.ZSTD) if media_type.endswith(kind)), Codec.NONE
    )


def oci_layer(codec: Codec) -> str:
    """Return the OCI media type of a layer: plain, or compressed by gzip or zstd."""
    return OCI_LAYER + _OCI_SUFFIX[codec]


def docker_layer(media_type: str) -> str:
    """Return what Docker calls a layer of an OCI media type; others stay as they are."""
    suffix = media_type.removeprefix(OCI_LAYER)
    return f"{_DOCKER_LAYER}{suffix.replace('+', '.')}" if suffix != media_type else media_type


def oci_type(media_type: str) -> str:
    """Return what OCI calls what Docker calls so; other media types stay as they are."""
    if media_type in _OCI_TYPES:
        return _OCI_TYPES[media_type]
    for docker, oci in ((_DOCKER_LAYER, OCI_LAYER), (_DOCKER_FOREIGN, _OCI_FOREIGN)):
        if media_type.startswith(docker):
            return oci + media_type.removeprefix(docker).replace(".", "+")
    return media_type


def is_foreign(media_type: str) -> bool:
    """Whether a layer's blob need not be where the image is (Windows base layers)."""
    return "nondistributable" in media_type or ".rootfs.foreign." in media_type
