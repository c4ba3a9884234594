"""Instructions of a Dockerfile that change the config alone: parsed, then applied to settings.

They mean what they mean to ``docker commit --change`` and ``docker import --change``:
https://docs.docker.com/reference/dockerfile/. What Podman takes there is a part of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lamella.errors import UsageError
from lamella.restate.health import parse_health
from lamella.restate.ports import expand_ports
from lamella.restate.settings import Settings, split_variable
from lamella.restate.signals import check_signal
from lamella.restate.words import expand, split_words

__all__ = ["Instruction", "apply_instructions", "parse_instruction"]

_NO_TRIGGER = frozenset({"ONBUILD", "FROM", "MAINTAINER"})


class _Command(NamedTuple):
    """Of CMD and ENTRYPOINT."""

    words: tuple[str, ...]
    in_shell: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction that makes sense as far as that can be known without an image."""

    text: str
    keyword: str
    value: Any
    """What its parser made of it."""


def parse_instruction(text: str) -> Instruction:
    """Read an instruction.

    Raises:
        UsageError: it is none that changes the config, or what it says makes no sense.
    """
    try:
        text.encode()
        return _parsed(text.strip())
    except UnicodeEncodeError:
        raise UsageError(f"`change`: expected UTF-8, got {text!a:.200}") from None
    except ValueError as error:
        raise _refused(text, error) from None


def _parsed(text: str) -> Instruction:
    keyword, _, rest = re.sub(r"\s+", " ", text, count=1).partition(" ")
    keyword = keyword.upper()
    kind = _KEYWORDS.get(keyword)
    if kind is None:
        *others, last = _KEYWORDS
        raise ValueError(f"expected one of {', '.join(others)} or {last}")
    if "\n" in text:
        raise ValueError("expected one line")
    if not rest:
        raise ValueError(f"expected something after {keyword}")
    if rest.startswith("--") and keyword != "HEALTHCHECK":
        raise ValueError(f"{keyword} has no option {rest.split()[0]}")
    instruction = Instruction(f"{keyword} {rest}", keyword, kind.parse(rest))
    if "$" not in rest:  # whose value is known only when there is an image
        kind.apply(instruction, Settings({}), {})
    elif kind.expands:
        for word in _all_words(instruction.value):
            expand(word, lambda _: "")
    return instruction


def _refused(text: str, error: ValueError) -> UsageError:
    return UsageError(f"`change` {text!r:.200}: {error}")


def _all_words(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [word for item in value for word in _all_words(item)] if isinstance(value, tuple) else []


def apply_instructions(instructions: Sequence[Instruction], settings: Settings) -> None:
    """Apply instructions, in their order.

    Raises:
        UsageError: variables of the image make no sense of one.
    """
    done: dict[str, Instruction] = {}
    for instruction in instructions:
        try:
            _KEYWORDS[instruction.keyword].apply(instruction, settings, done)
        except ValueError as error:
            raise _refused(instruction.text, error) from None
        done[instruction.keyword] = instruction


# -- parsing


def _parse_command(rest: str) -> _Command:
    words = _json_list(rest)
    return _Command((rest,), in_shell=True) if words is None else _Command(words, in_shell=False)


def _json_list(rest: str) -> tuple[str, ...] | None:
    """Return the words of a list in JSON; None: it is none, but a command of a shell, perhaps."""
    if not rest.startswith("["):
        return None
    try:
        found, end = json.JSONDecoder().raw_decode(rest)
    except ValueError:
        return None
    except RecursionError:
        found, end = None, 0
    if not (isinstance(found, list) and all(isinstance(word, str) for word in found)):
        raise ValueError("expected a list of texts")
    if rest[end:].strip():
        raise ValueError(f"expected nothing after the list, got {rest[end:].strip()}")
    for word in found:
        word.encode()  # half a surrogate pair, which JSON can say
    return tuple(found)


def _parse_pairs(rest: str) -> tuple[tuple[str, str], ...]:
    words = list(split_words(rest))
    if "=" not in words[0]:  # the old form: all the rest is the value
        match rest.split(maxsplit=1):
            case [only, text]:
                return ((only, text),)
        raise ValueError("expected NAME=VALUE")
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise ValueError(f"expected NAME=VALUE, got {word}")
        pairs.append((name, value))
    return tuple(pairs)


def _parse_words(rest: str) -> tuple[str, ...]:
    return tuple(rest.split())


def _parse_volumes(rest: str) -> tuple[str, ...]:
    found = _json_list(rest)
    return _parse_words(rest) if found is None else found


def _parse_trigger(rest: str) -> str:
    keyword = rest.split(maxsplit=1)[0].upper()
    if keyword in _NO_TRIGGER:
        raise ValueError(f"{keyword} can't be a trigger")
    return rest


# -- applying

_Done = Mapping[str, Instruction]


def _command(instruction: Instruction, settings: Settings, done: _Done) -> None:
    command: _Command = instruction.value
    words = [*(settings.shell if command.in_shell else ()), *command.words]
    if instruction.keyword == "CMD":
        settings.put("Cmd", words)
        return
    settings.put("Entrypoint", words)
    # A CMD of the base belongs to the base's entry point. That is Docker's rule; Podman keeps it.
    if "CMD" not in done or not done["CMD"].value.words:
        settings.put("Cmd", [])


def _environment(instruction: Instruction, settings: Settings, done: _Done) -> None:
    del done
    env = settings.lines("Env")
    for name, value in _expanded_pairs(instruction, settings):
        line = f"{name}={value}"
        names = [split_variable(old)[0] for old in env]
        if name in names:
            env[names.index(name)] = line
        else:
            env.append(line)
    settings.put("Env", env)


def _labels(instruction: Instruction, settings: Settings, done: _Done) -> None:
    del done
    settings.put("Labels", settings.names("Labels") | dict(_expanded_pairs(instruction, settings)))


def _expanded_pairs(instruction: Instruction, settings: Settings) -> list[tuple[str, str]]:
    """Return names and values; all variables are those from before the instruction."""
    value_of = settings.variable
    pairs = [(expand(n, value_of), expand(v, value_of)) for n, v in instruction.value]
    if not all(name for name, _ in pairs):
        raise ValueError("expected a name before =")
    return pairs


def _ports(instruction: Instruction, settings: Settings, done: _Done) -> None:
    del done
    words = [w for word in instruction.value for w in expand(word, settings.variable).split()]
    found: dict[str, Any] = {port: {} for word in words for port in expand_ports(word)}
    settings.put("ExposedPorts", {**found, **settings.names("ExposedPorts")})


def _volumes(instruction: Instruction, settings: Settings, done: _Done) -> None:
    del done
    paths = [expand(word, settings.variable).strip() for word in instruction.value]
    if not all(paths):
        raise ValueError("expected paths, got an empty one")
    new: dict[str, Any] = {path: {} for path in paths}
    settings.put("Volumes", {**new, **settings.names("Volumes")})


def _text(instruction: Instruction, settings: Settings, done: _Done) -> None:
    del done
    found = expand(instruction.value, settings.variable)
    if not found:
        raise ValueError("expected a value, got an empty one")
    match instruction.keyword:
        case "USER":
            settings.put("User", found)
        case "STOPSIGNAL":
            settings.put("StopSignal", check_signal(found))
        case "WORKDIR":
            settings.put("WorkingDir", settings.folder(found))


def _on_build(instruction: Instruction, settings: Settings, done: _Done) -> None:
    del done
    settings.put("OnBuild", [*settings.lines("OnBuild"), instruction.value])


def _health(instruction: Instruction, settings: Settings, done: _Done) -> None:
    del done
    settings.put("Healthcheck", dict(instruction.value))


class _Keyword(NamedTuple):
    parse: Callable[[str], Any]
    apply: Callable[[Instruction, Settings, _Done], None]
    expands: bool = True
    """Whether variables in it stand for their values."""


def _parse_health(rest: str) -> Mapping[str, Any]:
    return parse_health(rest, _json_list)


_KEYWORDS: Mapping[str, _Keyword] = {
    "CMD": _Keyword(_parse_command, _command, expands=False),
    "ENTRYPOINT": _Keyword(_parse_command, _command, expands=False),
    "ENV": _Keyword(_parse_pairs, _environment),
    "EXPOSE": _Keyword(_parse_words, _ports),
    "HEALTHCHECK": _Keyword(_parse_health, _health, expands=False),
    "LABEL": _Keyword(_parse_pairs, _labels),
    "ONBUILD": _Keyword(_parse_trigger, _on_build, expands=False),
    "STOPSIGNAL": _Keyword(str, _text),
    "USER": _Keyword(str, _text),
    "VOLUME": _Keyword(_parse_volumes, _volumes),
    "WORKDIR": _Keyword(str, _text),
}
"""Those that the classic builder allows for ``--change``."""
