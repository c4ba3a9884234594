"""An image as an engine describes it: a config made of `inspect` and `history`.

Good enough to choose layers by, and never written anywhere: the real config comes with the save.
The API tells no `empty_layer`, only sizes, which are 0 for layers that only delete something too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lamella.spec.config import format_json

__all__ = ["History", "describe_config", "infer_layers"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The classic builder's and BuildKit's wording of steps; what only changes the config comes last.
_RANKS = (
    re.compile(r"(/bin/sh -c #\(nop\) +|)(COPY|ADD) "),
    re.compile(r"RUN |\|[0-9]+ |(/bin/\w*sh|cmd|powershell)\b(?!.*#\(nop\))"),
    re.compile(r"(/bin/sh -c #\(nop\) +|)WORKDIR "),
    re.compile(
        r"(?!.*#\(nop\))(?!(ENV|CMD|LABEL|ENTRYPOINT|EXPOSE|VOLUME|USER|ARG|ONBUILD|"
        r"STOPSIGNAL|HEALTHCHECK|MAINTAINER|SHELL)\b)"
    ),
)


class History:
    """What `GET /images/NAME/history` says, oldest step first."""

    def __init__(self, answer: Sequence[Mapping[str, Any]]) -> None:
        self.entries = list(reversed(answer))
        self.ids = tuple(_image_id(entry.get("Id")) for entry in self.entries)
        """Images that the engine still has for steps."""
        self.sizes = [int(entry.get("Size") or 0) for entry in self.entries]

    def layers(self, total: int, count: Callable[[str], int | None]) -> list[bool]:
        """Tell which steps made a layer.

        Args:
            total: how many layers the image has.
            count: how many layers an image has; asked only if sizes alone don't tell.
        """
        steps = [str(entry.get("CreatedBy") or "") for entry in self.entries]
        if self._is_plain(total):
            return infer_layers(self.sizes, steps, total)
        made: list[bool] = []
        below = 0
        for stop, upto in self._milestones(total, count):
            part = slice(len(made), stop)
            made += infer_layers(self.sizes[part], steps[part], upto - below)
            below = upto
        return made

    def _is_plain(self, total: int) -> bool:
        missing = total - sum(size > 0 for size in self.sizes)
        return missing <= 0 or missing >= self.sizes.count(0)

    def _milestones(self, total: int, count: Callable[[str], int | None]) -> list[tuple[int, int]]:
        """Steps whose image is known: how many steps and how many layers there are so far."""
        found = []
        for stop, image_id in enumerate(self.ids[:-1], 1):
            layers = count(image_id) if image_id else None
            if layers is not None:
                found.append((stop, layers))
        return [*found, (len(self.ids), total)]


def _image_id(text: object) -> str | None:
    if not isinstance(text, str) or not text or text.startswith("<"):
        return None
    return text if ":" in text else f"sha256:{text}"


def infer_layers(sizes: Sequence[int], steps: Sequence[str], total: int) -> list[bool]:
    """Choose the steps that made a layer: those with bytes, then those most likely to.

    Args:
        sizes: bytes that each step added.
        steps: its command.
        total: how many layers there are.
    """
    made = [size > 0 for size in sizes]
    empty = [i for i, size in enumerate(sizes) if size <= 0]
    likely = sorted(empty, key=lambda i: _rank(steps[i]))
    for i in likely[: max(0, total - sum(made))]:
        made[i] = True
    return made


def _rank(step: str) -> int:
    return next((rank for rank, words in enumerate(_RANKS) if words.match(step)), len(_RANKS))


def describe_config(inspected: Mapping[str, Any], history: History, made: Sequence[bool]) -> bytes:
    """Return a config that says of the image what the engine does."""
    value: dict[str, Any] = {
        "architecture": inspected.get("Architecture") or "",
        "os": inspected.get("Os") or "",
        "config": inspected.get("Config") or {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids_of(inspected)},
    }
    if inspected.get("Created"):
        value["created"] = inspected["Created"]
    if inspected.get("Variant"):
        value["variant"] = inspected["Variant"]
    if history.entries:
        pairs = zip(history.entries, made, strict=True)
        value["history"] = [_entry(entry, layer=layer) for entry, layer in pairs]
    return format_json(value)


def diff_ids_of(inspected: Mapping[str, Any]) -> list[str]:
    """Return the digests of an image's layers, base first."""
    return list((inspected.get("RootFS") or {}).get("Layers") or [])


def _entry(entry: Mapping[str, Any], *, layer: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"created_by": entry.get("CreatedBy") or ""}
    if isinstance(entry.get("Created"), int):
        created = _EPOCH + timedelta(seconds=entry["Created"])
        said["created"] = created.isoformat().replace("+00:00", "Z")
    if entry.get("Comment"):
        said["comment"] = entry["Comment"]
    return said if layer else {**said, "empty_layer": True}
