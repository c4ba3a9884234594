"""Squash layers of container images, and leave every other layer as it is.

    >>> import lamella
    >>> with lamella.open_image("docker-archive:app.tar") as image:
    ...     print(len(image.layers))

`squash`, `rebase`, `analyze`, `open_image`, `verify`, `diff` and `delta` do what the commands of
these names do, `batch` and `plan` the same for many images; errors are all `LamellaError`s. Names
are loaded when they are first used, so ``import lamella`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from lamella.analysis.known_base import Base
    from lamella.analysis.model import (
        Analysis,
        Dead,
        HistoryLine,
        LayerFacts,
        LiveCache,
        Saving,
        Secret,
        Setup,
        Usage,
        Waste,
    )
    from lamella.api import analyze, open_image, squash, verify
    from lamella.errors import (
        Ambiguous,
        Cancelled,
        DigestMismatch,
        EngineError,
        EngineUnreachable,
        ImageError,
        ImageNotFound,
        InvalidReference,
        LamellaError,
        MalformedImage,
        MalformedTar,
        NoSuchFile,
        OutputError,
        UnknownLayer,
        Unsupported,
        UsageError,
    )
    from lamella.fleet.best import FleetPlan, ImagePlan, NewLayer
    from lamella.fleet.calls import Batch, batch, plan
    from lamella.fleet.local import Watch
    from lamella.fleet.plan_file import PlannedImage
    from lamella.fleet.shard import Shard
    from lamella.fleet.task import Outcome
    from lamella.fleet.tree import Catalogue, FleetImage, TreeNode, UnreadImage
    from lamella.fleet.work import Listed
    from lamella.image import Image, Step
    from lamella.inside.export import FlatTar
    from lamella.inside.file import File
    from lamella.inside.image import OpenImage, OpenLayer
    from lamella.layer.blob import Layer
    from lamella.layer.compression import Compression
    from lamella.merge.causes import Cause, Dropped
    from lamella.operations.attestation import attestation
    from lamella.operations.calls import delta, diff
    from lamella.operations.delta_result import DeltaResult
    from lamella.operations.diff import FileChange, FileContent, ImageDiff
    from lamella.operations.options import SquashOptions
    from lamella.operations.rebase import rebase
    from lamella.operations.rebase_result import Rebase
    from lamella.operations.result import LayerOfRange, ReferrerOutcome, Result, SquashedRange
    from lamella.operations.secrets import FoundSecret
    from lamella.progress import Progress
    from lamella.rebasing.conflicts import Conflict
    from lamella.rootfs import Difference
    from lamella.spec.changes import FieldChange
    from lamella.spec.codec import Codec
    from lamella.spec.config import Config
    from lamella.spec.descriptor import Descriptor
    from lamella.spec.digest import Digest
    from lamella.spec.manifest import Manifest
    from lamella.spec.platform import Platform
    from lamella.transport.engine.options import EngineOptions
    from lamella.transport.environment import Environment
    from lamella.transport.registry.options import RegistryOptions
    from lamella.transport.registry.pace import Pace

__all__ = [
    "Ambiguous",
    "Analysis",
    "Base",
    "Batch",
    "Cancelled",
    "Catalogue",
    "Cause",
    "Codec",
    "Compression",
    "Config",
    "Conflict",
    "Dead",
    "DeltaResult",
    "Descriptor",
    "Difference",
    "Digest",
    "DigestMismatch",
    "Dropped",
    "EngineError",
    "EngineOptions",
    "EngineUnreachable",
    "Environment",
    "FieldChange",
    "File",
    "FileChange",
    "FileContent",
    "FlatTar",
    "FleetImage",
    "FleetPlan",
    "FoundSecret",
    "HistoryLine",
    "Image",
    "ImageDiff",
    "ImageError",
    "ImageNotFound",
    "ImagePlan",
    "InvalidReference",
    "LamellaError",
    "Layer",
    "LayerFacts",
    "LayerOfRange",
    "Listed",
    "LiveCache",
    "MalformedImage",
    "MalformedTar",
    "Manifest",
    "NewLayer",
    "NoSuchFile",
    "OpenImage",
    "OpenLayer",
    "Outcome",
    "OutputError",
    "Pace",
    "PlannedImage",
    "Platform",
    "Progress",
    "Rebase",
    "ReferrerOutcome",
    "RegistryOptions",
    "Result",
    "Saving",
    "Secret",
    "Setup",
    "Shard",
    "SquashOptions",
    "SquashedRange",
    "Step",
    "TreeNode",
    "UnknownLayer",
    "UnreadImage",
    "Unsupported",
    "Usage",
    "UsageError",
    "Waste",
    "Watch",
    "analyze",
    "attestation",
    "batch",
    "delta",
    "diff",
    "open_image",
    "plan",
    "rebase",
    "squash",
    "verify",
]

_HOMES = {
    "Ambiguous": "errors",
    "Analysis": "analysis.model",
    "Base": "analysis.known_base",
    "Batch": "fleet.calls",
    "Cancelled": "errors",
    "Catalogue": "fleet.tree",
    "Cause": "merge.causes",
    "Codec": "spec.codec",
    "Compression": "layer.compression",
    "Config": "spec.config",
    "Conflict": "rebasing.conflicts",
    "Dead": "analysis.model",
    "DeltaResult": "operations.delta_result",
    "Descriptor": "spec.descriptor",
    "Difference": "rootfs",
    "Digest": "spec.digest",
    "DigestMismatch": "errors",
    "Dropped": "merge.causes",
    "EngineError": "errors",
    "EngineOptions": "transport.engine.options",
    "EngineUnreachable": "errors",
    "Environment": "transport.environment",
    "FieldChange": "spec.changes",
    "File": "inside.file",
    "FileChange": "operations.diff",
    "FileContent": "operations.diff",
    "FlatTar": "inside.export",
    "FleetImage": "fleet.tree",
    "FleetPlan": "fleet.best",
    "FoundSecret": "operations.secrets",
    "HistoryLine": "analysis.model",
    "Image": "image",
    "ImageDiff": "operations.diff",
    "ImageError": "errors",
    "ImageNotFound": "errors",
    "ImagePlan": "fleet.best",
    "InvalidReference": "errors",
    "LamellaError": "errors",
    "Layer": "layer.blob",
    "LayerFacts": "analysis.model",
    "LayerOfRange": "operations.result",
    "Listed": "fleet.work",
    "LiveCache": "analysis.model",
    "MalformedImage": "errors",
    "MalformedTar": "errors",
    "Manifest": "spec.manifest",
    "NewLayer": "fleet.best",
    "NoSuchFile": "errors",
    "OpenImage": "inside.image",
    "OpenLayer": "inside.image",
    "Outcome": "fleet.task",
    "OutputError": "errors",
    "Pace": "transport.registry.pace",
    "PlannedImage": "fleet.plan_file",
    "Platform": "spec.platform",
    "Progress": "progress",
    "Rebase": "operations.rebase_result",
    "ReferrerOutcome": "operations.result",
    "RegistryOptions": "transport.registry.options",
    "Result": "operations.result",
    "Saving": "analysis.model",
    "Secret": "analysis.model",
    "Setup": "analysis.model",
    "Shard": "fleet.shard",
    "SquashOptions": "operations.options",
    "SquashedRange": "operations.result",
    "Step": "image",
    "TreeNode": "fleet.tree",
    "UnknownLayer": "errors",
    "UnreadImage": "fleet.tree",
    "Unsupported": "errors",
    "Usage": "analysis.model",
    "UsageError": "errors",
    "Waste": "analysis.model",
    "Watch": "fleet.local",
    "analyze": "api",
    "attestation": "operations.attestation",
    "batch": "fleet.calls",
    "delta": "operations.calls",
    "diff": "operations.calls",
    "open_image": "api",
    "plan": "fleet.calls",
    "rebase": "operations.rebase",
    "squash": "api",
    "verify": "api",
}


def __getattr__(name: str) -> object:
    """Load a public name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lamella' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lamella.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
