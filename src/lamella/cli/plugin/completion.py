"""Completion of `docker squash`, as the docker command asks its plugins for it.

One word a line, with a tab before what is said of it, and last a line with a number: bits that say
what the shell does with the words. https://pkg.go.dev/github.com/spf13/cobra#ShellCompDirective
"""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete

from lamella.cli.terminal import say_whole
from lamella.report.text import printable

__all__ = ["complete"]

_NO_SPACE = 2
_NO_FILES = 4
_FILES = 0


def complete(command: click.Command, words: Sequence[str], *, described: bool) -> int:
    """Print what may stand in place of the last of the words."""
    *before, incomplete = words or [""]
    found = ShellComplete(command, {}, "docker squash", "").get_completions(before, incomplete)
    plain = [item for item in found if item.type == "plain"]
    lines = [_line(item, described=described) for item in plain]
    say_whole("".join(f"{line}\n" for line in (*lines, f":{_directive(found)}")))
    return 0


def _line(item: CompletionItem, *, described: bool) -> str:
    value = printable(str(item.value))
    return f"{value}\t{printable(item.help)}" if described and item.help else value


def _directive(found: Sequence[CompletionItem]) -> int:
    if not found or any(item.type != "plain" for item in found):
        return _FILES
    leads_on = any(str(item.value).endswith(("/", ":", "=")) for item in found)
    return _NO_FILES | (_NO_SPACE if leads_on else 0)
