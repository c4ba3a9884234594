"""What an image's config says: how a container starts, its environment, labels, the history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lamella.analysis.instruction import health_check
from lamella.analysis.model import HistoryLine, Setup
from lamella.image import Image

__all__ = ["read_setup"]

_FIELDS = ("Entrypoint", "Cmd", "User", "WorkingDir", "Shell", "StopSignal", "Healthcheck")
_SETS = ("ExposedPorts", "Volumes")


def read_setup(image: Image) -> Setup:
    """Read what there is; what has an unexpected form is shown as it is, or left out."""
    value = image.config.value
    config = value.get("config")
    known: Mapping[str, Any] = config if isinstance(config, dict) else {}
    env, labels = known.get("Env"), known.get("Labels")
    return Setup(
        created=str(value.get("created") or ""),
        fields=tuple(_fields(known)),
        env=tuple(map(str, env)) if isinstance(env, list) else (),
        labels=tuple((str(key), str(text)) for key, text in labels.items())
        if isinstance(labels, dict)
        else (),
        history=tuple(
            HistoryLine(
                None if step.layer is None else step.layer + 1,
                str(step.entry.get("created_by") or step.entry.get("comment") or ""),
            )
            for step in image.steps() or ()
        ),
    )


def _fields(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _FIELDS:
        if known.get(name):
            told = health_check(known[name]) if name == "Healthcheck" else ""
            yield name, told or _text(known[name])
    for name in _SETS:
        if known.get(name):
            yield name, " ".join(map(str, known[name])) if isinstance(known[name], dict) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
