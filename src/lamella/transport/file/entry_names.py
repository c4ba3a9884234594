"""What an entry of a layout's ``index.json`` is called.

Two annotations name it: OCI's reference name, which is what was typed (a tag, or a whole name), and
containerd's image name, which Docker and BuildKit go by:
https://github.com/containerd/containerd/blob/main/core/images/annotations.go
"""

from __future__ import annotations

from dataclasses import replace

from lamella.errors import InvalidReference
from lamella.spec.descriptor import Descriptor
from lamella.spec.reference import Reference

__all__ = ["IMAGE_NAME", "REF_NAME", "name_of", "named", "names_of"]

REF_NAME = "org.opencontainers.image.ref.name"
IMAGE_NAME = "io.containerd.image.name"


def names_of(entry: Descriptor) -> tuple[str, ...]:
    """Return all that an entry answers to; names of images as Docker shows them, and in full."""
    full = entry.annotations.get(IMAGE_NAME, "")
    names = (entry.annotations.get(REF_NAME, ""), _familiar(full), full)
    return tuple(dict.fromkeys(name for name in names if name))


def name_of(entry: Descriptor) -> str:
    """Return what an entry is called in messages: an image's name rather than a tag; or nothing."""
    full = entry.annotations.get(IMAGE_NAME, "")
    return _familiar(full) or entry.annotations.get(REF_NAME, "")


def named(entry: Descriptor, name: str) -> Descriptor:
    """Return an entry with a name; one that is more than a tag is containerd's image name, too."""
    if not name:
        return entry
    annotations = {REF_NAME: name}
    if full := _full(name):
        annotations[IMAGE_NAME] = full
    return replace(entry, raw={**entry.raw, "annotations": annotations})


def _familiar(name: str) -> str:
    try:
        return Reference.parse_tag(name).familiar
    except InvalidReference:
        return name


def _full(name: str) -> str:
    """Return a name with its registry, as containerd wants it; empty for a mere tag."""
    if ":" not in name and "/" not in name:
        return ""
    try:
        reference = Reference.parse_tag(name)
    except InvalidReference:
        return ""
    first, slash, _ = reference.name.partition("/")
    has_host = slash and ("." in first or ":" in first or first == "localhost")
    home = "" if has_host else "docker.io/" if slash else "docker.io/library/"
    return f"{home}{reference.name}:{reference.tag}"
