"""The options that commands share, and the world that follows from them and the environment."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

import click
from click.shell_completion import CompletionItem

from lamella.cli.completion import complete_file, complete_folder
from lamella.cli.progress import make_reporter
from lamella.errors import OutputError, UsageError

if TYPE_CHECKING:
    from lamella.transport.environment import Environment

__all__ = ["Session", "image_session", "plain_session"]

_Option = Callable[[Callable[..., object]], Callable[..., object]]


class _TrueOrFalse(click.types.BoolParamType):
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> bool:
        """Read a value; an empty one, of a variable that is not set, is false to click."""
        if value == "":
            self.fail("'' is not a valid boolean", param, ctx)
        return super().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer both."""
        del ctx, param
        return [CompletionItem(word) for word in ("true", "false") if word.startswith(incomplete)]


@dataclass(frozen=True)
class Session:
    """What was given to the options that commands share; fields are named like them."""

    quiet: bool = False
    verbose: int = 0
    progress_mode: str = "auto"
    tmp_dir: str | None = None
    source: Literal["auto", "api", "local"] = "auto"
    authfile: str | None = None
    tls_verify: bool = True
    ca: str | None = None
    insecure: bool = False
    no_cache: bool = False

    @contextmanager
    def open(self, *, to_stdout: bool = False) -> Iterator[Environment]:
        """Show progress, and yield what calls need from the world.

        Args:
            to_stdout: an archive goes to standard output.

        Raises:
            OutputError: standard output is closed.
            UsageError: the archive would go to a terminal, or there is no such temporary folder.
        """
        with make_reporter(self.progress_mode, quiet=self.quiet, verbose=self.verbose) as reporter:
            yield replace(self.environment(to_stdout=to_stdout), progress=reporter)

    def environment(self, *, to_stdout: bool = False) -> Environment:
        """Return what calls need from the world, without progress; see `open`."""
        from lamella.transport.environment import Environment  # noqa: PLC0415 - completion needs the options alone

        if self.tmp_dir is not None and not os.path.isdir(self.tmp_dir):  # noqa: PTH112 - a plain question
            raise UsageError(f"--tmp-dir {self.tmp_dir}: no such folder")
        if to_stdout and sys.stdout is not None and sys.stdout.isatty():
            raise UsageError("won't write an archive to a terminal; redirect it, or give -o FILE")
        found = Environment.from_env()
        cache = None if self.no_cache else found.registry.cache
        return replace(
            found,
            tmp_dir=self.tmp_dir or found.tmp_dir,
            engine=replace(found.engine, source=self.source, cache=cache),
            registry=replace(
                found.registry,
                authfile=self.authfile,
                tls_verify=self.tls_verify,
                ca=self.ca,
                insecure=self.insecure,
                cache=cache,
            ),
            stdin=sys.stdin.buffer if sys.stdin is not None else None,
            stdout=_open_stdout() if to_stdout else None,
        )


_COMMON: Sequence[_Option] = (
    click.option("-q", "--quiet", is_flag=True, help="Print nothing on standard error but errors."),
    click.option("-v", "--verbose", count=True, help="Print more; -vv adds tracebacks."),
    click.option(
        "--progress",
        "progress_mode",
        type=click.Choice(["auto", "plain", "none"]),
        default="auto",
        show_default=True,
        help="Progress as a bar or lines.",
    ),
    click.option(
        "--tmp-dir",
        shell_complete=complete_folder,
        metavar="DIR",
        help="Temporary directory (default: TMPDIR).",
    ),
)

_OF_ENGINES: Sequence[_Option] = (
    click.option(
        "--source",
        type=click.Choice(["auto", "api", "local"]),
        default="auto",
        show_default=True,
        help="auto: read the engine's storage if possible; api: use only its API; local: read only "
        "its storage.",
    ),
)

_OF_REGISTRIES: Sequence[_Option] = (
    click.option(
        "--authfile",
        shell_complete=complete_file,
        metavar="FILE",
        help="Registry credentials, tried before all others.",
    ),
    click.option(
        "--tls-verify",
        type=_TrueOrFalse(),
        default=True,
        metavar="true|false",
        help="Verify registry certificates (default: true).",
    ),
    click.option(
        "--ca",
        shell_complete=complete_file,
        metavar="FILE",
        help="Additional CA certificates to trust.",
    ),
    click.option(
        "--insecure",
        is_flag=True,
        help="Allow plain HTTP (localhost: always).",
    ),
    click.option(
        "--no-cache",
        is_flag=True,
        help="Don't read or write the layer header cache.",
    ),
)


def plain_session(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options of every command; hand what was given to it as its `session`."""
    return _with_session(command, _COMMON)


def image_session(command: Callable[..., object]) -> Callable[..., object]:
    """Do the same, with the options about engines and registries."""
    return _with_session(command, (*_OF_REGISTRIES, *_OF_ENGINES, *_COMMON))


def _with_session(
    command: Callable[..., object], options: Sequence[_Option]
) -> Callable[..., object]:
    names = [field.name for field in fields(Session)]

    @functools.wraps(command)
    def with_session(**given: object) -> object:
        shared = {name: given.pop(name) for name in names if name in given}
        return command(session=Session(**shared), **given)  # type: ignore[arg-type]

    whole: Callable[..., object] = with_session
    for option in reversed(options):
        whole = option(whole)
    return whole


def _open_stdout() -> BinaryIO:
    """Return standard output without a buffer: what can't be written is known at once."""
    if sys.stdout is None:
        raise OutputError("can't write to standard output: it is closed")
    raw = io.FileIO(sys.stdout.fileno(), "w", closefd=False)
    return cast("BinaryIO", raw)
