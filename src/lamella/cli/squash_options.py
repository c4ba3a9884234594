"""The options that say what a squash makes: of one image, or of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from lamella.cli.completion import complete_layer
from lamella.cli.rule_values import bytes_option
from lamella.cli.shared_options import (
    Decorator,
    allow_option,
    clamp_option,
    exclude_options,
    platform_option,
    read_late,
)

__all__ = ["HEADINGS", "squash_options"]

HEADINGS: Mapping[str, Sequence[str]] = {
    "Which layers": ("base", "last", "layers", "max_layers", "auto", "include_base"),
    "The new image": (
        *("tags", "platform", "compression", "max_layer_size", "into", "message", "history"),
        "created",
    ),
    "What changes": (
        *("exclude", "exclude_from", "remove_secrets", "allow", "clamp_mtime", "change"),
        *("unset_env", "unset_label", "annotations", "redact", "redact_names"),
    ),
}


def _annotation_option() -> Decorator:
    """Return ``--annotation``; what is given is read as soon as the command runs."""
    option = click.option(
        "--annotation",
        "annotations",
        multiple=True,
        metavar="KEY=VALUE",
        help="Annotate manifest and index.",
    )

    def put(choices: dict[str, Any]) -> None:
        from lamella.restate.annotations import read_pairs  # noqa: PLC0415 - completion needs none

        choices["annotations"] = read_pairs(choices["annotations"])

    return read_late((option,), put)


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
        "--max-layer-size",
        callback=bytes_option,
        metavar="SIZE",
        help="Cut new layers larger than SIZE.",
    ),
    click.option("--into", type=int, metavar="K", help="Cut the new layer into K layers."),
    click.option(
        "--message", default="", metavar="TEXT", help="Comment of the new layer in the history."
    ),
    click.option(
        "--history",
        type=click.Choice(["merge", "keep", "drop"]),
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
    allow_option(),
    clamp_option(),
    click.option(
        "--change",
        multiple=True,
        metavar="INSTRUCTION",
        help="Change the config, such as 'ENV A=b'.",
    ),
    click.option("--unset-env", multiple=True, metavar="NAME", help="Remove a variable."),
    click.option("--unset-label", multiple=True, metavar="NAME", help="Remove a label."),
    _annotation_option(),
    click.option("--redact", is_flag=True, help="Replace likely secrets in the config by ***."),
    click.option(
        "--redact-name",
        "redact_names",
        multiple=True,
        metavar="NAME",
        help="Replace values of NAME by ***.",
    ),
)


def squash_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, whose parameters have the names of `lamella.squash`'s."""
    wrapped = command
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
