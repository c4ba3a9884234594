"""The options that say what a squash makes: of one image, or of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from lamella.cli.completion import complete_layer
from lamella.cli.shared_options import (
    Decorator,
    clamp_option,
    exclude_options,
    platform_option,
)

__all__ = ["HEADINGS", "squash_options"]

HEADINGS: Mapping[str, Sequence[str]] = {
    "Which layers": ("base", "last", "layers", "max_layers", "auto", "include_base"),
    "The new image": ("tags", "platform", "compression", "message", "history", "created"),
    "What changes": ("exclude", "exclude_from", "remove_secrets", "clamp_mtime"),
}
_OPTIONS: Sequence[Decorator] = (
    click.option(
        "--from",
        "base",
        metavar="LAYER",
        shell_complete=complete_layer,
        help="Squash the layers above LAYER, or auto.",
    ),
    click.option("--last", type=int, metavar="N", help="Squash the newest N layers."),
    click.option(
        "--layers",
        "layers",
        multiple=True,
        metavar="A-B",
        help="Squash layers A to B; repeat for more ranges.",
    ),
    click.option(
        "--max-layers",
        type=int,
        metavar="N",
        help="Squash just enough to reach N layers.",
    ),
    click.option(
        "--auto",
        is_flag=True,
        help="Squash only layers that contain dead bytes.",
    ),
    click.option("--include-base", is_flag=True, help="With --auto: also squash the base layers."),
    platform_option(or_all=True),
    click.option(
        "--compression",
        metavar="KIND[:LEVEL]",
        help="Compress the new layer: gzip, zstd or none.",
    ),
    click.option(
        "--message", default="", metavar="TEXT", help="Comment of the new layer in the history."
    ),
    click.option(
        "--history",
        type=click.Choice(["merge", "keep"]),
        default="merge",
        show_default=True,
        help="History of squashed layers.",
    ),
    click.option(
        "--created",
        metavar="source|now|TIME",
        help="Creation time, such as 2026-01-31T12:00:00Z (default: SOURCE_DATE_EPOCH if set, "
        "else source).",
    ),
    exclude_options(),
    click.option("--remove-secrets", is_flag=True, help="Leave out files that are likely secrets."),
    clamp_option(),
)


def squash_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, whose parameters have the names of `lamella.squash`'s."""
    wrapped = command
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
