"""The help of a command can be taken in at a glance."""

from __future__ import annotations

import re

import click
import pytest

from lamella.cli.group import cli

LONG = {"--ci", "--created", "--format", "--output", "--source"}
"""Options that one line of a terminal of 80 columns can't explain."""
COMMANDS = cli.list_commands(click.Context(cli))


def help_of(name: str) -> str:
    """Return what `lamella NAME --help` prints on 80 columns."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    settings = {**cli.context_settings, "terminal_width": 78}
    context = click.Context(command, info_name=name, **settings)
    return command.get_help(context)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "squash",
            [
                *("Which layers", "The new image", "What changes", "Output", "Proof"),
                *("Registries and engines", "General"),
            ],
        ),
        ("analyze", ["Options", "Output", "Rules", "Registries and engines", "General"]),
        (
            "verify",
            ["Options", "What may differ", "Registries and engines", "General"],
        ),
        ("demo", ["Options", "General"]),
    ],
)
def test_options_are_under_headings(name: str, expected: list[str]) -> None:
    """What a command is about comes first, what all commands have comes last."""
    assert re.findall(r"^(\S.*):$", help_of(name), re.MULTILINE) == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_explained_once_in_one_line(name: str) -> None:
    """But for the few that need more; and no option is lost between the headings."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    context = click.Context(command, **cli.context_settings)  # click keeps the first help option
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    text = help_of(name)
    blocks = re.findall(r"^  (-\S.*\n(?: {30,}\S.*\n?)*)", f"{text}\n", re.MULTILINE)
    for option in options:
        names = [*option.opts, *option.secondary_opts]
        found = [
            block for block in blocks if names[-1] in block.split("  ")[0].replace(",", "").split()
        ]
        assert len(found) == (0 if option.hidden else 1), names
        if found and not LONG & set(names):
            assert found[0].count("\n") == 1, found[0]
