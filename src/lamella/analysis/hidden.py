"""Which values in commands and settings are not shown: those that have the name of a secret."""

from __future__ import annotations

import json
import re

from lamella.analysis.instruction import instruction

__all__ = ["HIDDEN", "hide_field", "hide_setting", "hide_values", "shown_instruction"]

HIDDEN = "(hidden)"
"""What stands for such a value."""
_NAME = r"""[\w.-]{0,99}
    (?:pass(?:word|wd|phrase)?|_pwd|secret|token|api_?key|access_?key|private_?key|credential)
    [\w.-]{0,64}"""
_QUOTED = r"""(?:"[^"]*"|'[^']*'|\(hidden\))"""
_VALUES = [
    # NAME=value, NAME: value, and "NAME": "value" as in JSON
    rf"(?<![\w.-]) (?P<kept>{_NAME} [\"']?\s*[=:]\s*) (?:{_QUOTED}|\S+)",
    # --NAME value; not --secret id=NAME, which names a file
    rf"(?<![\w.-]) (?P<kept>--{_NAME} \s+(?!-|\w+=)) (?:{_QUOTED}|\S+)",
    # "NAME", "value", as in a command that is a list
    rf"(?<![\w.-]) (?P<kept>{_NAME} (?P<quote>[\"']) \s*,\s*) (?:{_QUOTED})",
    # scheme://user:value@host
    r"(?P<kept>\w:// [^\s/:@\"']{0,99} :) [^\s/@\"']{1,999} (?=@)",
]
_PATTERNS = [re.compile(f"(?ix) {pattern}") for pattern in _VALUES]
_SETTING = re.compile(rf"(?ix) {_NAME}")
_NAMED = re.compile(r"(?:[\w-]+\.)*?(?:Env|Labels|annotations)\.")
"""Fields of a config or a manifest whose parts have names that users chose."""
_SETS = re.compile(r"(?:ENV|ARG|LABEL)\s")
_PAIR = re.compile(
    rf"(?ix) (?<=\s) (?P<kept>{_NAME}=) (?:{_QUOTED} | .*? (?=\s+[\w.-]+=|$)) | "
    rf"(?<=ENV\s) (?P<first>{_NAME}\s+) .*"
)
"""What these set: a value may have blanks without quotes, as builders write it."""


def hide_values(text: str, hidden: str = HIDDEN) -> str:
    """Replace the values of what is called a password, a token or the like, and those in URLs.

    Args:
        text: a command, say.
        hidden: what stands for such a value.
    """
    if _SETS.match(text):
        text = _PAIR.sub(lambda found: f"{found['kept'] or found['first']}{hidden}", text)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda found: f"{found['kept']}{hidden}", text)
    return text


def hide_setting(line: str, hidden: str = HIDDEN) -> str:
    """Do the same for ``NAME=value``, of which all the rest is the value: a variable, a label."""
    name, _, value = line.partition("=")
    if value and _SETTING.fullmatch(name):
        return f"{name}={hidden}"
    return hide_values(line, hidden)


def hide_field(name: str, value: object) -> object:
    """Return the value of a config's field, such as ``Env.PATH``, without such values."""
    if isinstance(value, dict | list):
        return hide_values(json.dumps(value, ensure_ascii=False))
    if not isinstance(value, str):
        return value
    kinds = _NAMED.match(name)
    if kinds is None:
        return hide_values(value)
    key = name[kinds.end() :]
    return hide_setting(f"{key}={value}").removeprefix(f"{key}=")


def shown_instruction(created_by: str, *, hide: bool = True) -> str:
    """Return a history entry's command as the instruction that it was, without such values."""
    return hide_values(instruction(created_by)) if hide else instruction(created_by)
