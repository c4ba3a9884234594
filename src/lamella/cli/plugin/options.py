"""Docker's global options: read as the docker command reads them, and put as variables.

The docker command hands them to a plugin as they were typed, before the name of the command:
`docker-squash --context far squash app`. https://docs.docker.com/reference/cli/docker/#options
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lamella.errors import UsageError

__all__ = ["DockerOptions", "parse_docker_options", "to_variables"]

_WITH_VALUE = frozenset(
    {"config", "context", "host", "log-level", "tlscacert", "tlscert", "tlskey"}
)
_FLAGS = frozenset({"debug", "help", "tls", "tlsverify"})
_SHORT = {"c": "context", "D": "debug", "H": "host", "h": "help", "l": "log-level"}
_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_TLS_FILES = {
    "tlscacert": "LAMELLA_DOCKER_TLSCACERT",
    "tlscert": "LAMELLA_DOCKER_TLSCERT",
    "tlskey": "LAMELLA_DOCKER_TLSKEY",
}


@dataclass(frozen=True)
class DockerOptions:
    """What was given before the name of the command."""

    values: Mapping[str, str] = field(default_factory=dict)
    """By long name; of an option that was given twice the last."""
    flags: Mapping[str, bool] = field(default_factory=dict)
    """The same, of those that are on or off."""

    @property
    def is_debug(self) -> bool:
        """Whether everything is to be told."""
        return self.flags.get("debug", False) or self.values.get("log-level") in {"debug", "trace"}


def parse_docker_options(arguments: Sequence[str]) -> tuple[DockerOptions, list[str]]:
    """Split arguments into Docker's global options, and the command with what follows it.

    Raises:
        UsageError: an option is unknown, or has no value or a wrong one.
    """
    values: dict[str, str] = {}
    flags: dict[str, bool] = {}
    rest = deque(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.popleft()
        if word == "--":
            break
        for name, value in _options_of(word, rest):
            if name in _FLAGS:
                flags[name] = _switch(name, value)
            elif name == "host" and name in values:
                raise UsageError("docker's option --host was given twice; give one")
            else:
                values[name] = value
    level = values.get("log-level", "info")
    if level.lower() not in _LEVELS:
        raise UsageError(f"--log-level: expected one of {', '.join(_LEVELS)}, got {level!r}")
    return DockerOptions(values, flags), list(rest)


def _options_of(word: str, rest: deque[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that a word stands for, with their values: some take the next word."""
    if word.startswith("--"):
        name, given, value = word[2:].partition("=")
        if name not in _WITH_VALUE | _FLAGS:
            raise _unknown(word)
        yield name, value if given else _next_value(name, rest)
        return
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in _SHORT:
            raise _unknown(word)
        name = _SHORT[letter]
        if name in _WITH_VALUE or letters.startswith("="):
            yield name, letters.removeprefix("=") if letters else _next_value(name, rest)
            return
        yield name, "true"


def _next_value(name: str, rest: deque[str]) -> str:
    if name in _FLAGS:
        return "true"
    if not rest:
        raise UsageError(f"docker's option --{name} needs a value")
    return rest.popleft()


def _switch(name: str, value: str) -> bool:
    if value not in _TRUE | _FALSE:
        raise UsageError(f"--{name}: expected true or false, got {value!r}")
    return value in _TRUE


def _unknown(word: str) -> UsageError:
    return UsageError(
        f"docker has no option {word} before the name of a command; see `docker --help`"
    )


def to_variables(options: DockerOptions, before: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables that say what the options say.

    Args:
        options: Docker's global options.
        before: the variables as they were; an option comes before its variable.

    Raises:
        UsageError: options exclude each other.
    """
    after = dict(before)
    values = options.values
    if "config" in values:
        # The docker command has looked for certificates before it reads this option.
        after |= _default_certificates(before)
        after["DOCKER_CONFIG"] = values["config"]
    _say_engine(values, after)
    _say_tls(options, after)
    return after


def _default_certificates(before: Mapping[str, str]) -> dict[str, str]:
    if before.get("DOCKER_CERT_PATH"):
        return {}
    home = before.get("HOME")
    folder = before.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    return {"DOCKER_CERT_PATH": folder} if folder else {}


def _say_engine(values: Mapping[str, str], after: dict[str, str]) -> None:
    context, host = values.get("context"), values.get("host")
    if context and host is not None:
        raise UsageError("docker's options --host and --context exclude each other; give one")
    if host is not None:
        after["DOCKER_CONTEXT"] = "default"
        after["DOCKER_HOST"] = host
    if context:
        after["DOCKER_CONTEXT"] = context
        if context != "default":  # which is DOCKER_HOST, where that is set
            after.pop("DOCKER_HOST", None)


def _say_tls(options: DockerOptions, after: dict[str, str]) -> None:
    """Say how TLS is spoken. `--tlsverify` asks for it whatever its value is."""
    flags = options.flags
    if "tlsverify" in flags:
        after.pop("DOCKER_TLS_VERIFY", None)
        if flags["tlsverify"]:
            after["DOCKER_TLS_VERIFY"] = "1"
    if "tls" in flags:
        after.pop("DOCKER_TLS", None)
    if flags.get("tls") or "tlsverify" in flags:
        after["DOCKER_TLS"] = "1"
    after |= {_TLS_FILES[name]: path for name, path in options.values.items() if name in _TLS_FILES}
