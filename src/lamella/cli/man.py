"""Pages for `man`, out of what the commands say of themselves; the build packs them.

The format is man(7), which groff and mandoc read alike.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from lamella.cli.headings import HeadedCommand

__all__ = ["pages"]

_OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)")
_ASIDE = re.compile(r"`([^`]+)`")
_KEEP = "\b"
"""Click's mark of a paragraph whose lines stay as they are."""


def pages(group: click.Group, version: str, date: str) -> Iterator[tuple[str, str]]:
    """Yield each page: the name of its file, and what is in it.

    Args:
        group: the command that has all others.
        version: of lamella.
        date: of the pages, YYYY-MM-DD.
    """
    context = click.Context(group, info_name="lamella", **group.context_settings)
    commands = list(_iter_commands(context))
    names = ["lamella", *(f"lamella-{one.info_name}" for one in commands)]
    for one, name in zip((context, *commands), names, strict=True):
        others = [other for other in names if other != name]
        header = f'.TH {_escape(name.upper())} 1 {date} "lamella {version}" "User Commands"'
        yield f"{name}.1", "\n".join([header, *_body(one, name, others), ""])


def _iter_commands(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            if (command := group.get_command(context, name)) is not None:
                yield click.Context(command, info_name=name, parent=context)


def _body(context: click.Context, name: str, others: list[str]) -> Iterator[str]:
    first, *paragraphs = _paragraphs(context.command.help or "")
    about = context.command.short_help or first.partition(",")[0]
    yield ".SH NAME"
    yield f"{_escape(name)} \\- {_words(about[0].lower() + about[1:].rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield _synopsis(context)
    yield ".SH DESCRIPTION"
    yield from _flow([first, *paragraphs])
    yield ".SH OPTIONS"
    yield from _options(context)
    yield from _inner(context)
    yield from _exit_status(context)
    yield ".SH SEE ALSO"
    yield " ,\n".join(f".BR {_escape(other)} (1)" for other in others)


def _synopsis(context: click.Context) -> str:
    usage = " ".join(context.command.collect_usage_pieces(context))
    return f"\\fB{_escape(context.command_path)}\\fR {_escape(usage)}"


def _inner(context: click.Context) -> Iterator[str]:
    """Write of the commands within one: those of lamella itself have pages of their own."""
    commands = list(_iter_commands(context))
    if commands:
        yield ".SH COMMANDS"
    for one in commands:
        if context.parent is None:
            yield ".TP"
            yield f".BR {_escape(f'lamella-{one.info_name}')} (1)"
            yield _words(one.command.get_short_help_str(1000))
        else:
            yield f".SS {_synopsis(one)}"
            yield from _flow(_paragraphs(one.command.help or ""))
            yield from _options(one)


def _options(context: click.Context) -> Iterator[str]:
    command = context.command
    if isinstance(command, HeadedCommand):
        groups = command.headed(context)
    else:
        options = (p for p in command.get_params(context) if isinstance(p, click.Option))
        groups = [("", [r for p in options if (r := p.get_help_record(context))])]
    for title, rows in groups:
        if len(groups) > 1:
            yield f".SS {title}:"
        for words, about in rows:
            yield ".TP"
            yield _OPTION.sub(r"\\fB\1\\fR", words).replace("-", "\\-")
            yield _words(about)


def _exit_status(context: click.Context) -> Iterator[str]:
    """What an epilog tells is of the exit codes first."""
    if context.command.epilog:
        yield ".SH EXIT STATUS"
        yield from _flow(_paragraphs(context.command.epilog))


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n\s*\n", inspect.cleandoc(text))]


def _flow(paragraphs: list[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ".PP"
        if paragraph.startswith(_KEEP):
            yield ".nf"
            yield from map(_words, paragraph.removeprefix(_KEEP).strip("\n").split("\n"))
            yield ".fi"
        else:
            yield _words(" ".join(paragraph.split()))


def _words(text: str) -> str:
    """Return text of which the commands in it stand out."""
    return _ASIDE.sub(r"\\fB\1\\fR", _escape(text))


def _escape(text: str) -> str:
    """Return text as man(7) has it: no line is a request, a hyphen can be typed as it is shown."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    safe = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in safe)
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
