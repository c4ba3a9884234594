"""Media types of manifests, indexes, configs and layers, OCI's and Docker's.

https://github.com/opencontainers/image-spec/blob/main/media-types.md
"""

from __future__ import annotations

__all__ = [
    "DOCKER_CONFIG",
    "DOCKER_INDEX",
    "DOCKER_LAYER_GZIP",
    "DOCKER_MANIFEST",
    "INDEXES",
    "MANIFESTS",
    "OCI_CONFIG",
    "OCI_INDEX",
    "OCI_LAYER",
    "OCI_MANIFEST",
    "docker_layer",
    "is_foreign",
    "oci_layer",
]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = f"{_DOCKER_LAYER}.gzip"

INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

_OCI_SUFFIX = {"none": "", "gzip": "+gzip", "zstd": "+zstd"}


def oci_layer(compression: str) -> str:
    """Return the OCI media type of a layer compressed with ``none``, ``gzip`` or ``zstd``."""
    return OCI_LAYER + _OCI_SUFFIX[compression]


def docker_layer(media_type: str) -> str:
    """Return what Docker calls a layer of an OCI media type; others stay as they are."""
    suffix = media_type.removeprefix(OCI_LAYER)
    return f"{_DOCKER_LAYER}{suffix.replace('+', '.')}" if suffix != media_type else media_type


def is_foreign(media_type: str) -> bool:
    """Whether a layer's blob need not be where the image is (Windows base layers)."""
    return "nondistributable" in media_type or ".rootfs.foreign." in media_type
