"""What is made of an image: the parameters that `lamella.squash` and `lamella.batch` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from lamella.layer.compression import Compression
from lamella.operations.request import Layers
from lamella.rewrite import HistoryMode
from lamella.spec.platform import Platform

__all__ = ["SquashOptions"]


class SquashOptions(TypedDict, total=False):
    """Parameters of `lamella.squash`, which explains them."""

    last: int | None
    layers: Layers
    max_layers: int | None
    auto: bool
    include_base: bool
    platform: str | Platform | None
    compression: str | Compression | None
    message: str
    history: HistoryMode
    created: datetime | str | None
    annotations: Mapping[str, str] | None
    change: str | Sequence[str]
    unset_env: str | Sequence[str]
    unset_label: str | Sequence[str]
    redact: bool
    redact_names: str | Sequence[str]
    exclude: str | Sequence[str]
    remove_secrets: bool
    allow: str | Sequence[str]
    clamp_mtime: datetime | str | None
    max_layer_size: int | None
    into: int | None
