"""Images of layers in memory, and docker-archives of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lamella.image import Image
from lamella.layer.blob import Bytes, Layer
from lamella.spec.config import Config
from lamella.spec.digest import Digest
from tests.support.tars import END, entry, folder

__all__ = ["config_of", "docker_archive", "image", "made_by"]


def config_of(
    diff_ids: Sequence[str],
    history: Sequence[Mapping[str, Any]] | None = None,
    **more: object,
) -> dict[str, Any]:
    """Return an image config; without history if none is given."""
    value: dict[str, Any] = {
        "created": "2024-05-06T07:08:09Z",
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["A=b"], "Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        **more,
    }
    if history is not None:
        value["history"] = list(history)
    return value


def made_by(*steps: str) -> list[dict[str, Any]]:
    """Return a history; steps in brackets made no layer."""
    return [
        {"created_by": step.strip("()"), "created": f"2024-01-01T00:00:{number:02d}Z"}
        | ({"empty_layer": True} if step.startswith("(") else {})
        for number, step in enumerate(steps)
    ]


def image(
    *tars: bytes,
    history: Sequence[Mapping[str, Any]] | None = None,
    stored: Mapping[int, bytes] | None = None,
    name: str = "test",
    history_ids: tuple[str | None, ...] = (),
    **config: object,
) -> Image:
    """Return an image of layers, base first.

    Args:
        tars: the layers.
        history: of the config; none by default.
        stored: by position, how layers are stored if not as they are (compressed).
        name: what messages call it.
        history_ids: IDs of intermediate images.
        config: further fields of the config.
    """
    diff_ids = [Digest.of(tar) for tar in tars]
    raw = json.dumps(config_of(diff_ids, history, **config)).encode()
    layers = tuple(
        Layer(diff_id, Bytes((stored or {}).get(i, tar)), f"{name}: layer {i + 1}")
        for i, (diff_id, tar) in enumerate(zip(diff_ids, tars, strict=True))
    )
    return Image(name, Config.parse(raw, name), layers, history_ids=history_ids)


def docker_archive(
    *tars: bytes,
    tags: Sequence[str] = ("test:latest",),
    history: Sequence[Mapping[str, Any]] | None = None,
) -> bytes:
    """Return what Docker before 25 saves: ``ID/layer.tar``, a config, ``manifest.json``."""
    made = image(*tars, history=history)
    out, names = b"", []
    for number, tar in enumerate(tars):
        names.append(f"{number:064x}/layer.tar")
        out += folder(f"{number:064x}/").encode() + entry(names[-1], tar).encode()
    config_name = f"{made.id.hex}.json"
    out += entry(config_name, made.config.raw).encode()
    manifest = [{"Config": config_name, "RepoTags": list(tags), "Layers": names}]
    return out + entry("manifest.json", json.dumps(manifest).encode()).encode() + END
