"""What went wrong, in one line, and the exit code."""

from __future__ import annotations

import re

import click

from lamella.cli.signals import INTERRUPTED
from lamella.errors import LamellaError
from lamella.waiting import is_asked_to_end, left_behind

__all__ = ["PARAMETERS", "explain", "in_options"]

PARAMETERS = frozenset(
    {
        *("authfile", "auto", "base", "ca", "check", "cleanup", "compression", "created"),
        *("include_base", "insecure", "into", "last", "layers", "max_layer_size", "max_layers"),
        *("message", "output"),
        *("platform", "source", "tls_verify", "tmp_dir"),
        *("annotations", "change", "redact", "redact_names", "unset_env", "unset_label"),
        *("archive", "clamp_mtime", "engine", "exclude", "ignore", "journal", "keep", "referrers"),
        *("allow", "remove_secrets", "resume", "since", "to"),
    }
)
"""Of the calls, and fields of what they are given: an option each."""
_OTHERWISE = {
    "annotations": "--annotation",
    "redact_names": "--redact-name",
    "base": "--from",
    "check": "--verify",
    "output": "-o",
    "stdin": "standard input",
    "stdout": "standard output",
}


def in_options(text: str) -> str:
    """Return a message of the calls, which names their parameters, with the options instead."""

    def option(found: re.Match[str]) -> str:
        name = found[1]
        usual = f"--{name.replace('_', '-')}" if name in PARAMETERS else found[0]
        return _OTHERWISE.get(name, usual)

    return re.sub(r"`([a-z_]+)`", option, text)


def explain(error: BaseException) -> tuple[str, int]:
    """Say what went wrong, and how bad it is."""
    if is_asked_to_end() or isinstance(error, KeyboardInterrupt | click.Abort):
        return f"interrupted; {left_behind() or 'nothing was left behind'}", INTERRUPTED
    match error:
        case click.ClickException():
            return _usage_message(error), error.exit_code
        case LamellaError():
            return in_options(str(error)), error.exit_code
    return _reason(error), 1


def _reason(error: BaseException) -> str:
    """Say what it is that is none of our errors."""
    match error:
        case MemoryError():
            return "out of memory"
        case RecursionError():
            return "the input is nested too deeply to be read"
        case RuntimeError() if "start new thread" in str(error):
            return "can't start a thread: the system allows no more (see `ulimit -u`)"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}"
    return f"unexpected {type(error).__name__}: {error}; please report it (-vv shows where)"


_GOT = re.compile(r"(.*) is not (?:a valid|one of|in the range) ", re.DOTALL)
_OF_DOCKER_SQUASH = {
    "-f": "docker-squash's -f LAYER is --from LAYER here, its -f N is --last N",
    "--from-layer": "docker-squash's --from-layer LAYER is --from LAYER here",
    "-m": "docker-squash's -m TEXT is --message TEXT here",
    "-c": "docker-squash's -c is --cleanup here",
    "--output-path": "docker-squash's --output-path FILE is -o docker-archive:FILE here",
}
"""Options of another tool, https://github.com/goldmann/docker-squash, by what they are here."""


def _wrong_value(error: click.ClickException) -> str:
    """Say what was expected in place of a value; empty: it is not known."""
    parameter = error.param if isinstance(error, click.BadParameter) else None
    got = _GOT.match(error.message)
    if parameter is None or got is None:
        return ""
    match parameter.type:
        case click.Choice(choices=choices):
            *others, last = choices
            expected = f"{', '.join(others)} or {last}"
        case click.types.BoolParamType():
            expected = "true or false"
        case click.IntRange(min=least):
            expected = f"a whole number, {least} or more"
        case click.types.IntParamType():
            expected = "a whole number"
        case _:
            return ""
    is_option = isinstance(parameter, click.Option)
    name = parameter.opts[-1] if is_option else parameter.human_readable_name
    return f"{name}: expected {expected}, got {got[1]}"


def _no_option(error: click.ClickException) -> str:
    if not isinstance(error, click.NoSuchOption):
        return ""
    near = " or ".join(error.possibilities or ())
    return f"no option {error.option_name}{f'; did you mean {near}?' if near else ''}"


def _usage_message(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption) and context:
        is_squash = (context.info_name or "").endswith("squash")  # also `docker squash`
        if is_squash and (meant := _OF_DOCKER_SQUASH.get(error.option_name)):
            return f"no option {error.option_name}; {meant}"
    message = _no_option(error) or _wrong_value(error) or _in_one_line(error.format_message())
    if context is None:
        return message
    see = " See" if message.endswith("?") else "; see"
    return f"{message}{see} `{context.command_path} --help`"


def _in_one_line(message: str) -> str:
    """Return a message of click's, in which choices come in lines, as ours are written."""
    text = " ".join(message.split()).rstrip(".")
    return text[:1].lower() + text[1:]
