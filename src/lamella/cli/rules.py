"""The rules of a build: their options, with those of the files in the working folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from lamella.cli.completion import complete_file
from lamella.cli.dive_file import add_dive_rules
from lamella.cli.rule_values import bytes_option, share_option
from lamella.cli.rules_file import add_file_rules
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.report.rules import Rules

__all__ = ["rule_options"]

_Option = Callable[[Callable[..., object]], Callable[..., object]]

_RULES: Sequence[_Option] = (
    click.option(
        "--max-dead", callback=share_option, metavar="5%", help="Fail if a larger share is dead."
    ),
    click.option(
        "--max-dead-bytes",
        callback=bytes_option,
        metavar="10MB",
        help="Fail if more bytes are dead.",
    ),
    click.option(
        "--max-size",
        callback=bytes_option,
        metavar="200MB",
        help="Fail if the layers are larger, uncompressed.",
    ),
    click.option(
        "--max-layers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Fail if there are more layers.",
    ),
    click.option(
        "--forbid-secrets",
        is_flag=True,
        help="Fail if any layer has a likely secret.",
    ),
    click.option("--no-secrets", is_flag=True, hidden=True),  # its earlier name
    click.option(
        "--min-efficiency",
        callback=share_option,
        metavar="0.95",
        help="Fail if dive's efficiency is lower.",
    ),
)
_FILES: Sequence[_Option] = (
    click.option(
        "--ci",
        is_flag=True,
        help="Check the image against rules; exit 6 if it violates one. Rules are the options "
        "below, and lamella.toml (or [tool.lamella] in pyproject.toml) and .dive-ci in the current "
        "directory. Implied by any rule option.",
    ),
    *_RULES,
    click.option(
        "--rules",
        shell_complete=complete_file,
        metavar="FILE",
        help="Read rules from FILE, not lamella.toml.",
    ),
    click.option(
        "--ci-config",
        shell_complete=complete_file,
        metavar="FILE",
        help="Read dive's rules from FILE, not .dive-ci.",
    ),
)


def rule_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options about rules; hand the rules to the command as its `rules`."""

    @functools.wraps(command)
    def with_rules(
        *,
        ci: bool,
        no_secrets: bool,
        forbid_secrets: bool,
        rules: str | None,
        ci_config: str | None,
        no_secrets_scan: bool,
        **given: object,
    ) -> object:
        from lamella.report.rules import Rules  # noqa: PLC0415 - completion needs the options alone

        names = ("max_dead", "max_dead_bytes", "max_size", "max_layers", "min_efficiency")
        limits = {name: given.pop(name) for name in names}
        told = Rules(forbid_secrets=forbid_secrets or no_secrets, **limits)  # type: ignore[arg-type]
        if ci or rules is not None or ci_config is not None or told != Rules():
            told = _with_files(told, rules, ci_config)
        if told.forbid_secrets and no_secrets_scan:
            raise UsageError(
                "--forbid-secrets needs the scan that --no-secrets-scan leaves out; give one"
            )
        return command(rules=told, no_secrets_scan=no_secrets_scan, **given)

    whole: Callable[..., object] = with_rules
    for option in reversed(_FILES):
        whole = option(whole)
    return whole


def _with_files(rules: Rules, file: str | None, dive_file: str | None) -> Rules:
    from lamella.report.rules import Rules  # noqa: PLC0415 - as above

    found = add_dive_rules(add_file_rules(rules, file), dive_file)
    if replace(found, allow=()) == Rules():
        asked = next((name for name in (file, dive_file) if name is not None), "--ci")
        raise UsageError(
            f"{asked}: no rules; give some, like --max-dead 5%, or a lamella.toml or .dive-ci file"
        )
    return found
