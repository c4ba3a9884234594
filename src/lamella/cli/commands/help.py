"""``lamella help``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from click.shell_completion import CompletionItem

from lamella.cli.terminal import say_text, say_whole
from lamella.cli.topics import TOPICS, read_topic
from lamella.errors import UsageError
from lamella.nearest import did_you_mean

__all__ = ["command"]


def _complete(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    del parameter
    about = {name: topic.about for name, topic in TOPICS.items()}
    words = sorted(word for word in _words(context) if word.startswith(incomplete))
    return [CompletionItem(word, help=about.get(word)) for word in words]


@click.command("help", short_help="show the help of a command, or a document")
@click.argument("words", nargs=-1, metavar="[TOPIC|COMMAND]", shell_complete=_complete)
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> int:
    """Show the document on TOPIC, or the help of COMMAND. Without an argument, list both.

    \b
    lamella help
    lamella help json
    lamella help squash

    On a terminal, documents are shown in a pager (environment variable PAGER).
    """  # noqa: D301 - the mark is click's: lines stay as they are
    if not words:
        _list(context)
    elif len(words) == 1 and words[0] in TOPICS:
        _show(read_topic(words[0]))
    else:
        say_text(_help_of(context, words))
    return 0


def _group(context: click.Context) -> click.Group:
    group = context.find_root().command
    assert isinstance(group, click.Group)  # noqa: S101 - it is the one that knows this command
    return group


def _words(context: click.Context) -> list[str]:
    return [*_group(context).list_commands(context), *TOPICS]


def _list(context: click.Context) -> None:
    formatter = context.make_formatter()
    with formatter.section("Topics"):
        formatter.write_dl([(name, topic.about) for name, topic in TOPICS.items()])
    _group(context).format_commands(context, formatter)
    say_text(formatter.getvalue().strip("\n"))
    say_text("\n`lamella help TOPIC` and `lamella help COMMAND` show more.")


def _show(page: str) -> None:
    """Print a document, which is our own, through a pager on a terminal."""
    if sys.stdout is not None and sys.stdout.isatty():
        with _left_to_the_pager(signal.SIGINT):
            click.echo_via_pager(page)
    else:
        say_whole(page)


@contextmanager
def _left_to_the_pager(number: signal.Signals) -> Iterator[None]:
    """Pass over a signal that a terminal sends to both of us: to a pager, Ctrl-C is a command."""
    before = signal.signal(number, lambda number, frame: None)  # noqa: ARG005 - a handler's
    try:
        yield
    finally:
        signal.signal(number, before)


def _help_of(context: click.Context, words: Sequence[str]) -> str:
    """Return what a command prints with ``--help``.

    Raises:
        UsageError: there is no such command.
    """
    here = context.find_root()
    for word in words:
        group = here.command
        found = group.get_command(here, word) if isinstance(group, click.Group) else None
        if found is None:
            way_out = did_you_mean(word, _words(context)) or "; `lamella help` lists them"
            raise UsageError(f"unknown topic or command '{' '.join(words)}'{way_out}")
        here = click.Context(found, info_name=word, parent=here)
    return here.get_help()
