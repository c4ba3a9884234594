"""In which form an image is stored, and whether a squash changed that of what it did not squash."""

from __future__ import annotations

from collections.abc import Sequence

from lamella.image import Image
from lamella.layer.blob import FileRange, Layer
from lamella.spec.codec import Codec
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import codec_of

__all__ = ["conversion"]


def conversion(
    image: Image,
    kept: Sequence[tuple[Layer, Descriptor]],
    stored: Manifest | None,
    *,
    unpacked: bool,
) -> str:
    """Tell how an image was converted; empty if it wasn't.

    Args:
        image: as it was.
        kept: its layers that stay, and in which form.
        stored: the manifest as the destination keeps it; None if it keeps none, or makes its own.
        unpacked: the destination is an engine that keeps no layer as it is stored elsewhere.
    """
    before = [_stored(layer) for layer, _ in kept]
    after = [codec_of(form.media_type) for _, form in kept]
    changes = [change] if (change := _manifest_change(image, stored)) else []
    if before != after and not unpacked:
        changes.append(f"kept layers {_kinds(before)} → {_kinds(after)}")
    return ", ".join(changes)


def _manifest_change(image: Image, stored: Manifest | None) -> str:
    if stored is None:
        lost = "manifest and annotations" if _has_annotations(image) else "manifest"
        return f"{lost} not kept" if image.manifest else ""
    new = _dialect(stored)
    if image.manifest is None:
        return f"{new} added"
    old = _dialect(image.manifest)
    return f"{old} → {new}" if old != new else ""


def _dialect(manifest: Manifest) -> str:
    return "Docker manifest" if manifest.is_docker else "OCI manifest"


def _stored(layer: Layer) -> str:
    if layer.descriptor is not None:
        return codec_of(layer.descriptor.media_type)
    return layer.compression if isinstance(layer.blob, FileRange) else Codec.NONE


def _kinds(kinds: Sequence[str]) -> str:
    names = ("plain" if kind == Codec.NONE else kind for kind in dict.fromkeys(kinds))
    return " and ".join(names)


def _has_annotations(image: Image) -> bool:
    return image.manifest is not None and bool(image.manifest.value.get("annotations"))
