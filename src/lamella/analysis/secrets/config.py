"""Secrets in what an image says of itself: its config, its history, its annotations.

A value is one by its form (`tokens`), or by the name that it has; then it must be filled in: a
variable, a path or a word that all know is none. Which names are meant `hidden` tells; here a
name must also end with its word, so ``TOKEN_ISSUER`` and ``PASSWORD_POLICY`` have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from lamella.analysis.hidden import hidden_values, hide_setting, is_secret_name, named_values
from lamella.analysis.model import Secret
from lamella.analysis.secrets.allowed import Allowed
from lamella.analysis.secrets.checks import is_password
from lamella.analysis.secrets.shown import shorten
from lamella.analysis.secrets.tokens import find_tokens
from lamella.image import Image

__all__ = ["allowed_values", "config_secrets"]

_KIND_OF_NAME = {"pass": "password", "pwd": "password", "token": "token"}
_OTHER_KIND = "secret value"
_ENDS = re.compile(
    r"""(?ix) (?:(?<![a-z]) pass | pass(?:word|wd|phrase) | (?<![a-z]) pwd | secrets? | tokens? |
    (?:api|access|private|secret)[_.-]?key | credentials?)
    (?:[_.-]? (?:key|value|base|prod(?:uction)?|dev(?:elopment)?|staging|live|default|\d+))* $"""
)
_NONE = re.compile(
    r"""(?ix) [\d.,:+-]* | (?:true|false|yes|no|on|off|null|none) |
    (?:~|\.{1,2})?(?:/[\w.@%+:-]+)+/? | \w+://[^\s@]* |
    [\w.-]+\.(?:pem|key|crt|json|txt|ya?ml|conf)"""
)
"""Numbers, switches, paths and addresses."""
_PLAIN_WORD = re.compile(r"[a-z_-]{0,11}")
_SHORTEST, _SHORTEST_IN_TEXT = 3, 6
_IN_TEXT = re.compile(r"[^\s$`*(){}<>|;\\]+")
"""What a value in a command consists of; others are made when the command runs."""
_ARGUMENTS = re.compile(r"(?:RUN )?\|\d+ (?P<all>.*?) ?/bin/(?:ba)?sh -[a-z]*c ", re.DOTALL)
_ARGUMENT = re.compile(
    r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*?)(?<!\s)(?=\s+[A-Za-z_]\w*=|\s*$)", re.DOTALL
)
_DECLARED = re.compile(r"(?:.*?#\(nop\)\s+)?(?P<verb>ARG|ENV|LABEL)\s+(?P<rest>.*)", re.DOTALL)
_TEXTS = ("Entrypoint", "Cmd", "Healthcheck", "Shell", "OnBuild")


class _ConfigValue(NamedTuple):
    kind: str
    value: str


def config_secrets(image: Image) -> tuple[Secret, ...]:
    """Return what looks like a secret in a config, its history and the manifest's annotations.

    A value that is repeated is told once, where it matters most: a variable of the config, not the
    history entry that set it.
    """
    secrets, told = [], set[str]()
    annotations = image.manifest.value.get("annotations") if image.manifest else None
    layers = [step.layer for step in image.steps() or ()]
    for place, found in _all(image.config.value, annotations, _LIKELY, layers):
        if found.value not in told:
            told.add(found.value)
            secrets.append(place(found))
    return tuple(secrets)


def allowed_values(
    config: Mapping[str, object], annotations: object, allowed: Allowed
) -> frozenset[str]:
    """Return which values are no secrets, though they are hidden: of what a user allows.

    Args:
        config: all of it, with the history.
        annotations: names and texts.
        allowed: what is none.
    """
    every = chain(_all(config, annotations, _HIDDEN), _in_strings(config.get("config")))
    return frozenset(found.value for place, found in every if allowed.allows(place(found)))


def _in_strings(settings: object) -> Iterator[tuple[_Place, _ConfigValue]]:
    """Yield what is hidden in each string of a command, as it is without JSON around it."""
    if not isinstance(settings, dict):
        return
    for name in _TEXTS:
        todo = [settings.get(name)]
        while todo:
            value = todo.pop()
            if isinstance(value, str):
                yield from _at(_Place("config", name), _hidden_in_text(value))
            elif isinstance(value, list | dict):
                todo += value.values() if isinstance(value, dict) else value


class _Look(NamedTuple):
    """What is looked for."""

    in_setting: Callable[[str, str], Iterator[_ConfigValue]]
    """In what a variable, a label or the like has: all of it is the value."""
    in_text: Callable[[str], Iterator[_ConfigValue]]
    """In what a command has: values with their names, and tokens."""


class _Place(NamedTuple):
    """Where a value is."""

    where: str
    name: str
    layer: int | None = None

    def __call__(self, found: _ConfigValue) -> Secret:
        return Secret(
            b"", found.kind, self.layer, None, self.where, self.name, shorten(found.value)
        )


def _all(
    config: Mapping[str, object],
    annotations: object,
    look: _Look,
    layers: Sequence[int | None] = (),
) -> Iterator[tuple[_Place, _ConfigValue]]:
    """Yield what is found, and where.

    Args:
        config: all of it, with the history.
        annotations: names and texts.
        look: for what.
        layers: that the entries of the history made.
    """
    value = config.get("config")
    settings: Mapping[str, object] = value if isinstance(value, dict) else {}
    for line in _list(settings.get("Env")):
        name, _, text = line.partition("=")
        yield from _at(_Place("env", name), look.in_setting(name, text))
    for where, named in (("label", settings.get("Labels")), ("annotation", annotations)):
        for name, text in named.items() if isinstance(named, Mapping) else ():
            yield from _at(_Place(where, str(name)), look.in_setting(str(name), str(text)))
    for name in _TEXTS:
        yield from _at(_Place("config", name), look.in_text(_text(settings.get(name))))
    history = config.get("history")
    entries = history if isinstance(history, list) else []
    for number, (entry, layer) in enumerate(zip_longest(entries, layers[: len(entries)]), 1):
        if isinstance(entry, dict):
            yield from _in_entry(entry, number, None if layer is None else layer + 1, look)


def _in_entry(
    entry: Mapping[str, object], number: int, layer: int | None, look: _Look
) -> Iterator[tuple[_Place, _ConfigValue]]:
    """Yield what an entry of the history has."""
    command = str(entry.get("created_by") or "")
    arguments = _ARGUMENTS.match(command)
    if arguments:
        for found in _ARGUMENT.finditer(arguments["all"]):
            yield from _at(
                _Place("build arg", found["name"], layer), look.in_setting(*found.groups())
            )
        command = command[arguments.end("all") :]
    declared = _DECLARED.match(command)
    if declared:
        for found in _ARGUMENT.finditer(declared["rest"]):
            where = "build arg" if declared["verb"] == "ARG" else "history"
            name = found["name"] if where == "build arg" else str(number)
            text = found["value"].strip("\"'")
            yield from _at(_Place(where, name, layer), look.in_setting(found["name"], text))
    place = _Place("history", str(number), layer)
    yield from _at(place, look.in_text(command))
    yield from _at(place, look.in_text(str(entry.get("comment") or "")))


def _at(place: _Place, found: Iterable[_ConfigValue]) -> Iterator[tuple[_Place, _ConfigValue]]:
    return ((place, one) for one in found)


def _likely_in_setting(name: str, value: str) -> Iterator[_ConfigValue]:
    tokens = list(_tokens(value))
    yield from tokens
    if not tokens and len(value) >= _SHORTEST and _is_secret(name, value):
        yield _ConfigValue(_kind_of(name), value)


def _likely_in_text(text: str) -> Iterator[_ConfigValue]:
    tokens = list(_tokens(text))
    yield from tokens
    for name, value in named_values(text):
        if (
            len(value) >= _SHORTEST_IN_TEXT
            and _IN_TEXT.fullmatch(value)
            and not _PLAIN_WORD.fullmatch(value)
            and _is_secret(name, value)
            and not any(token.value in value for token in tokens)
        ):
            yield _ConfigValue(_kind_of(name), value)


def _hidden_in_setting(name: str, value: str) -> Iterator[_ConfigValue]:
    """Yield what `hide_setting` hides: it knows more names, and no value that is none."""
    line = f"{name}={value}"
    if hide_setting(line) == line:
        return
    tokens = list(_tokens(value))
    yield from tokens
    named = _kind_of(name) if is_secret_name(name) else ""
    kinds = {token.kind for token in tokens} or {named}
    kind = kinds.pop() if len(kinds) == 1 else ""
    for one in (value, *hidden_values(value)):
        yield _ConfigValue(kind, one.strip("\"'"))


def _hidden_in_text(text: str) -> Iterator[_ConfigValue]:
    tokens = list(_tokens(text))
    yield from tokens
    for name, value in named_values(text):
        if not any(token.value in value for token in tokens):
            yield _ConfigValue(_kind_of(name), value)
    for value in hidden_values(text):
        yield _ConfigValue("", value.strip("\"'"))


_LIKELY = _Look(_likely_in_setting, _likely_in_text)
_HIDDEN = _Look(_hidden_in_setting, _hidden_in_text)


def _is_secret(name: str, value: str) -> bool:
    return (
        is_secret_name(name)
        and _ENDS.search(name) is not None
        and _NONE.fullmatch(value) is None
        and is_password(value.encode(errors="replace"))
    )


def _tokens(text: str) -> Iterator[_ConfigValue]:
    raw = text.encode(errors="surrogatepass")
    for token in dict.fromkeys(find_tokens(raw)):
        yield _ConfigValue(token.kind.what, raw[token.start : token.end].decode(errors="replace"))


def _kind_of(name: str) -> str:
    lower = name.lower()
    return next((kind for word, kind in _KIND_OF_NAME.items() if word in lower), _OTHER_KIND)


def _list(value: object) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
