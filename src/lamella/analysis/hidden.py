"""Which values in commands and settings are not shown: those named like a secret, and tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from lamella.analysis.instruction import instruction

__all__ = [
    "HIDDEN",
    "hidden_values",
    "hide_field",
    "hide_setting",
    "hide_values",
    "is_secret_name",
    "named_values",
    "shown_instruction",
]

HIDDEN = "(hidden)"
"""What stands for such a value."""
_MARK = "\0"
"""What stands for one while values are gathered."""
_STANDS = re.compile(r"\x01(\d+)\x01")
"""What stands for a value that stays while others are hidden."""
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
_NAMES = 3
"""So many of them know a value by its name."""
_SETTING = re.compile(rf"(?ix) {_NAME}")
_NAMED = re.compile(r"(?:[\w-]+\.)*?(?:Env|Labels|annotations)\.")
"""Fields of a config or a manifest whose parts have names that users chose."""
_SETS = re.compile(r"(?:ENV|ARG|LABEL)\s")
_PAIR = re.compile(
    rf"(?ix) (?<=\s) (?P<kept>{_NAME}=) (?:{_QUOTED} | .*? (?: (?<!\s) (?=\s+[\w.-]+=) | $)) | "
    rf"(?<=ENV\s) (?P<first>{_NAME}\s+) .*"
)
"""What these set: a value may have blanks without quotes, as builders write it."""


def _nothing_stays(_: str) -> bool:
    return False


def hide_values(
    text: str, hidden: str = HIDDEN, stays: Callable[[str], bool] = _nothing_stays
) -> str:
    """Replace the values of what is called a password, a token or the like, and those in URLs.

    So are tokens that are known by their form, whatever they are called.

    Args:
        text: a command, say.
        hidden: what stands for such a value.
        stays: whether a value, with its quotes, is not replaced.
    """
    from lamella.analysis.secrets.tokens import hide_tokens  # noqa: PLC0415 - few squashes need it

    staying: list[str] = []
    can_stay = "\x01" not in text  # or what stands for a value might be the text's own

    def is_kept(value: str) -> bool:
        return can_stay and (_STANDS.fullmatch(value) is not None or stays(value))

    def hide(found: re.Match[str]) -> str:
        name: str = next(filter(None, found.groups()))
        value = found[0][len(name) :]
        if not is_kept(value):
            return name + hidden
        if _STANDS.fullmatch(value):
            return found[0]
        staying.append(value)  # no other pattern may take a part of it
        return f"{name}\x01{len(staying) - 1}\x01"

    if _SETS.match(text):
        text = _PAIR.sub(hide, text)
    for pattern in _PATTERNS:
        text = pattern.sub(hide, text)
    text = hide_tokens(text, hidden, is_kept)
    return _STANDS.sub(lambda found: staying[int(found[1])], text) if staying else text


def hidden_values(text: str, stays: Callable[[str], bool] = _nothing_stays) -> Iterator[str]:
    """Yield what `hide_values` replaces."""
    if _MARK in text or _MARK not in (marked := hide_values(text, _MARK, stays)):
        return
    first, *parts = marked.split(_MARK)
    at = len(first)
    for number, part in enumerate(parts, 1):
        # The last part is the end; another may also occur in a value, which is then cut short.
        end = len(text) - len(part) if number == len(parts) else text.find(part, at)
        if end < at:
            return
        yield text[at:end]
        at = end + len(part)


def named_values(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values that `hide_values` hides for their names; not those in URLs."""
    first = [_PAIR] if _SETS.match(text) else []
    for pattern in (*first, *_PATTERNS[:_NAMES]):
        for found in pattern.finditer(text):
            kept = next(filter(None, found.groupdict().values()))
            name = _SETTING.match(kept.lstrip("-"))
            if name is not None:
                yield name[0], found[0][len(kept) :].strip().strip("\"'")


def is_secret_name(name: str) -> bool:
    """Whether a variable or a label is called like a secret, so that its value is not shown."""
    return _SETTING.fullmatch(name) is not None


def hide_setting(line: str, hidden: str = HIDDEN) -> str:
    """Do the same for ``NAME=value``, of which all the rest is the value: a variable, a label."""
    name, _, value = line.partition("=")
    if value and is_secret_name(name):
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
