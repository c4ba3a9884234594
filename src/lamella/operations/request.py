"""What a squash is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lamella.analysis.hidden import hide_field
from lamella.errors import UsageError
from lamella.layer.compression import Compression
from lamella.merge.edits import NO_EDITS, Edits
from lamella.restate.annotations import check_annotations
from lamella.restate.changes import NO_CHANGES, Changes
from lamella.rewrite import Wording
from lamella.spec.platform import Platform
from lamella.tar.entry import time_text
from lamella.transport.location import Location

__all__ = [
    "Layers",
    "Name",
    "Request",
    "compression_of",
    "platform_of",
    "range_texts",
    "reference_text",
]

Name = str | os.PathLike[str]
"""A reference as in docs/cli.md; a path is that of a file or a layout."""
Layers = str | range | Sequence[str | range]
"""Ranges of layers: ``"A-B"``, numbered from 1, or a `range` of positions."""


_SMALLEST = 1 << 16
"""Of limits: directories are said in each layer, and must fit in."""
_MOST = 120
"""New layers: Docker 20.10 takes 125 in all."""


@dataclass(frozen=True)
class Request:
    """What a squash is asked for, checked before any work."""

    location: Location
    output: Location
    base: str | None = None
    """LAYER: what is above it is squashed; `AUTO`: the base is to be found."""
    last: int | None = None
    ranges: tuple[str, ...] = ()
    max_layers: int | None = None
    """Let lamella choose what brings the image to so many layers."""
    auto: bool = False
    """Let lamella choose what is worth squashing."""
    include_base: bool = False
    """Also layers that other images of the place use, and those that look like the base."""
    tags: tuple[str, ...] = ()
    """All names of the new image, that of the output too."""
    platform: Platform | None = None
    compression: Compression | None = None
    wording: Wording = field(default_factory=Wording)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """As `restate.annotations` has them; Docker's manifests have none."""
    changes: Changes = NO_CHANGES
    """What the image's documents are to say otherwise."""
    edits: Edits = NO_EDITS
    """What merged layers leave out and change."""
    remove_secrets: bool = False
    """Merged layers leave out what is likely a secret, too."""
    allow: tuple[str, ...] = ()
    """What is none, as `Allowed.parse` reads it."""
    max_layer_size: int | None = None
    """Cut new layers that are stored larger than so many bytes."""
    into: int | None = None
    """Cut new layers into so many."""
    check: bool = False
    """Prove that both images have the same file system before anything is published."""
    referrers: Literal["copy", "drop"] | None = None
    """What becomes of what is attached to the image; None: it is not even looked for."""
    dry_run: bool = False
    sizes_only: bool = False
    """Of a dry run: tell no reasons why bytes are gone, for which content must be compared."""
    cleanup: bool = False

    def __post_init__(self) -> None:
        """Check what needs no image to be known as wrong.

        Raises:
            UsageError: two choices of layers, one that no image can fulfil, or no text.
        """
        ways = {
            "LAYER (`base`)": self.base is not None,
            "`last`": self.last is not None,
            "`layers`": bool(self.ranges),
            "`max_layers`": self.max_layers is not None,
            "`auto`": self.auto,
        }
        given = [way for way, is_given in ways.items() if is_given]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude each other; give one")
        if self.max_layers is not None and self.max_layers < 1:
            raise UsageError(f"`max_layers` {self.max_layers}: an image has at least one layer")
        if self.include_base and not self.auto:
            raise UsageError("`include_base` goes with `auto`")
        if self.last is not None and self.last < 1:
            raise UsageError(f"`last` {self.last}: expected a number of layers, 1 or more")
        self._check_cutting()
        if self.allow and not (self.remove_secrets or self.changes.redaction.likely):
            raise UsageError("`allow` goes with `remove_secrets` or `redact`")
        check_annotations(self.annotations)
        self._check_referrers()
        _check_text("`message`", self.wording.message)
        for name in self.tags:
            _check_text("the new image's name", name)

    def _check_cutting(self) -> None:
        if self.max_layer_size is not None and self.into is not None:
            raise UsageError("`max_layer_size` and `into` exclude each other; give one")
        size = self.max_layer_size
        if size is not None and size < _SMALLEST:
            raise UsageError(f"`max_layer_size` {size}: expected {_SMALLEST} bytes or more")
        if self.into is not None and not 1 <= self.into <= _MOST:
            raise UsageError(f"`into` {self.into}: expected a number of layers, 1 to {_MOST}")

    def _check_referrers(self) -> None:
        if self.referrers not in {None, "copy", "drop"}:
            raise UsageError(f"`referrers` {self.referrers!r:.60}: expected copy or drop")
        if self.referrers != "copy":
            return
        if not self.check:
            raise UsageError(
                "`referrers` copy goes with `check`: an SBOM is only attached to an image that is "
                "proven to have the same files"
            )
        if not self.output.keeps_manifest:
            raise UsageError(
                f"`referrers` copy: nothing can be attached to an image in {self.output}; expected "
                "a registry, oci:DIR or oci-archive:FILE as `output`"
            )

    @property
    def cuts(self) -> bool:
        """Whether new layers are cut, also of a layer that is squashed alone."""
        return self.max_layer_size is not None or self.into is not None

    @property
    def changes_layers(self) -> bool:
        """Whether a layer alone may become another one."""
        return not self.edits.is_none or self.remove_secrets

    @property
    def names(self) -> tuple[str, ...]:
        """What the destination will call the image."""
        return self.output.names(self.tags)

    def asked(self) -> dict[str, Any]:
        """Return what the new image is to be, as JSON values: parameters, if they are given.

        Values of likely secrets are hidden.
        """
        patterns, latest = self.edits.leave_out, self.edits.latest
        history = self.wording.history
        given: dict[str, Any] = {
            "compression": str(self.compression) if self.compression else None,
            "message": self.wording.message,
            "history": history if history != "merge" else None,
            "created": self.wording.created,
            "annotations": {
                key: hide_field(f"annotations.{key}", text)
                for key, text in self.annotations.items()
            },
            **self.changes.to_json(),
            "exclude": list(patterns.texts) if patterns else None,
            "remove_secrets": self.remove_secrets or None,
            "allow": list(self.allow),
            "clamp_mtime": time_text(latest) if latest is not None else None,
            "max_layer_size": self.max_layer_size,
            "into": self.into,
        }
        return {name: value for name, value in given.items() if value not in (None, "", {}, [])}


def reference_text(name: Name) -> str:
    """Return a reference as text; a path is that of something here, whatever it is called."""
    if isinstance(name, str):
        return name
    path = os.fspath(name)
    return path if path.startswith(("/", "./", "../")) else f"./{path}"


def range_texts(layers: Layers) -> tuple[str, ...]:
    """Return ranges of layers as text, numbered from 1.

    Raises:
        UsageError: positions do not follow each other.
    """
    chosen = (layers,) if isinstance(layers, str | range) else layers
    return tuple(map(_numbers, chosen))


def _numbers(layers: str | range) -> str:
    if isinstance(layers, str):
        return layers
    if layers.step != 1 or not layers:
        raise UsageError(f"`layers` {layers}: expected positions that follow each other")
    return f"{layers.start + 1}-{layers.stop}"


def platform_of(given: str | Platform | None) -> Platform | None:
    """Return the platform that was asked for, if one was.

    Raises:
        UsageError: it is none, or all of them.
    """
    if given == "all":
        raise UsageError("`platform` all: expected one platform here, like linux/arm64")
    return Platform.parse(given) if isinstance(given, str) and given else given or None


def compression_of(given: str | Compression | None) -> Compression | None:
    """Return the compression that was asked for, if one was.

    Raises:
        UsageError: it is none.
    """
    return Compression.parse(given) if isinstance(given, str) and given else given or None


def _check_text(what: str, text: str) -> None:
    """See to it that documents can say it: they are UTF-8, arguments may be any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what}: expected UTF-8, got {text!a}") from None
