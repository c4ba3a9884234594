"""Secrets in the documents of an image, replaced wherever they lie.

What is one is said by its name, in `analysis.hidden`, or by a name that a user gives. The value of
one is then looked for everywhere else, so that a token in ENV goes from the history, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lamella.analysis.hidden import HIDDEN, hidden_values, hide_setting, hide_values
from lamella.restate.known import KnownSecrets

__all__ = ["NO_REDACTION", "REDACTED", "Redaction"]

REDACTED = "***"
"""What stands for a secret in the new documents."""
_MARK = "\0"
"""What stands for one while values are gathered."""
_SHORTEST = 8
"""A value that is shorter is in other words by chance."""
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}")
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:;[ \w.=+-]*)?", re.ASCII)
_SYSTEM = re.compile(r"[a-z0-9.]{1,20}")
_STRUCTURE = {
    "digest": _DIGEST,
    **dict.fromkeys(("mediaType", "artifactType"), _TYPE),
    **dict.fromkeys(("os", "os.version", "architecture", "variant"), _SYSTEM),
    "created": re.compile(r"[\d.:T+-]+Z?", re.ASCII),
}
"""Fields that are what they are if they look like it; of names that users choose, all are looked
at."""
_DIFF_IDS = "diff_ids"
_USERS_NAMES = frozenset({"Labels", "annotations"})
_NO_SECRET = re.compile(r"\$.*|(?:/[a-z0-9._-]+)+/?|[A-Za-z]{1,15}|[0-9]{1,15}", re.DOTALL)
"""What stays where it has no secret's name: a variable and a path, which stand for something else;
a word and a number, which mean other things elsewhere (``POSTGRES_PASSWORD=postgres``)."""
_STEP = re.compile(r"(?s)(?P<head>[^#\n]{1,200} #\(nop\)\s+)(?P<rest>.*)")
_ARGUMENTS = re.compile(
    r"(?s)(?P<head>(?:RUN )?\|(?P<count>\d{1,4}) )(?P<args>.*?)(?P<rest> /\S+ .*)"
)
"""A command with the build arguments that it had, in the classic builder's words and BuildKit's."""
_ARGUMENT = re.compile(r" (?=[\w.-]+=)")
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""


@dataclass(frozen=True)
class Redaction:
    """Which values are to go."""

    likely: bool = False
    """Those that look like a secret."""
    names: tuple[str, ...] = ()
    """Those of variables, labels, build arguments and annotations with just these names."""
    kept: frozenset[str] = frozenset()
    """What looks like a secret and is none: it stays, wherever it is."""

    @property
    def is_none(self) -> bool:
        """Whether nothing is to go."""
        return not (self.likely or self.names)

    def values_in(self, documents: Iterable[object]) -> frozenset[str]:
        """Return the secret values of documents that are long enough to be looked for."""
        if self.is_none:
            return frozenset()
        hiding = _Hiding(self, frozenset(), _MARK)
        for document in documents:
            hiding.of(document)
        return frozenset(hiding.found)

    def apply(self, document: Any, secrets: frozenset[str], hidden: str = REDACTED) -> Any:  # noqa: ANN401 - JSON
        """Return a document without secrets.

        Args:
            document: JSON.
            secrets: values that go wherever they are.
            hidden: what stands for each.
        """
        return document if self.is_none else _Hiding(self, secrets, hidden).of(document)


NO_REDACTION = Redaction()


class _Hiding:
    """Hides in one document after the other, and notes what it finds."""

    def __init__(self, redaction: Redaction, secrets: frozenset[str], hidden: str) -> None:
        self._likely, self._names, self._hidden = redaction.likely, redaction.names, hidden
        self._kept = redaction.kept | {REDACTED}  # what is gone is not hidden once more
        self._patterns = [pattern for name in redaction.names for pattern in _patterns_of(name)]
        self._secrets = KnownSecrets(secrets)
        self.found: set[str] = set()

    def of(self, value: Any, key: str = "") -> Any:  # noqa: ANN401 - JSON
        """Return a value without secrets; `key` is the name of its field."""
        match value:
            case str():
                return self._text(value)
            case list():
                return self._list(value, key)
            case dict():
                forms = {} if key in _USERS_NAMES else _STRUCTURE
                return {
                    name if name in forms else self._known(name): self._member(
                        name, item, forms.get(name)
                    )
                    for name, item in value.items()
                }
        return value

    def _member(self, name: str, value: Any, form: re.Pattern[str] | None) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(value, str):
            return self.of(value, name)
        return value if form and form.fullmatch(value) else self._setting(name, value)

    def _list(self, items: list[Any], key: str) -> list[Any]:
        if key == "Env":
            return [self._variable(line) if isinstance(line, str) else line for line in items]
        if key == _DIFF_IDS and all(isinstance(i, str) and _DIGEST.fullmatch(i) for i in items):
            return items
        out = [self.of(item) for item in items]
        for at, (flag, value) in enumerate(pairwise(items), 1):
            if isinstance(flag, str) and isinstance(value, str) and self._belong(flag, value):
                self._note(value)
                out[at] = self._hidden
        return out

    def _belong(self, flag: str, value: str) -> bool:
        """Whether a word is the secret that the one before names: ``--token``, ``abc``."""
        both = json.dumps([flag, value], ensure_ascii=False)
        is_asked = self._likely and not self._stays(value)
        likely = is_asked and hide_values(both, _MARK).endswith(f'", {_MARK}]')
        named = flag.startswith("--") and flag[2:] in self._names
        return likely or (named and value != REDACTED)

    def _variable(self, line: str) -> str:
        name, equals, value = line.partition("=")
        return f"{self._known(name)}={self._setting(name, value)}" if equals else self._text(line)

    def _setting(self, name: str, value: str) -> str:
        """Hide in ``NAME=value``, of which all the rest is the value."""
        whole = f"{name}={value}"
        is_asked = self._likely and value != _MARK and not self._stays(value)
        likely = is_asked and hide_setting(whole, _MARK) == f"{name}={_MARK}"
        if value and (likely or (name in self._names and value != REDACTED)):
            self._note(value)
            return self._hidden
        return self._text(value)

    def _text(self, text: str) -> str:
        if found := _ARGUMENTS.fullmatch(text):
            args = self._arguments(found["args"], int(found["count"]))
            return self._known(f"{found['head']}{args}{self._command(found['rest'])}")
        if found := _STEP.fullmatch(text):
            return self._known(f"{found['head']}{self._command(found['rest'])}")
        return self._known(self._command(text))

    def _arguments(self, text: str, count: int) -> str:
        """Hide in build arguments; where it can't be told where one ends all go with a secret."""
        lines = _ARGUMENT.split(text)
        if len(lines) == count:
            return " ".join(map(self._variable, lines))
        shown = " ".join(map(self._variable, lines))
        return (
            text
            if shown == text
            else " ".join(f"{line.partition('=')[0]}={self._hidden}" for line in lines)
        )

    def _command(self, text: str) -> str:
        if self._likely:
            for value in hidden_values(text, self._stays):
                self._note(value)
            text = hide_values(text, self._hidden, self._stays)
        for pattern in self._patterns:
            for found in pattern.finditer(text):
                self._note(found["value"])
            text = pattern.sub(self._named, text)
        return text

    def _named(self, found: re.Match[str]) -> str:
        return found[0] if found["value"] == REDACTED else f"{found['kept']}{self._hidden}"

    def _known(self, text: str) -> str:
        return self._secrets.hide(text, self._hidden)

    def _stays(self, value: str) -> bool:
        """Whether a value that looks like a secret is none."""
        return not self._kept.isdisjoint(_forms(value))

    def _note(self, value: str) -> None:
        """Take note of a secret, as it is written and without quotes around it."""
        for form in _forms(value):
            if len(form.encode(errors="replace")) >= _SHORTEST and not (
                _NO_SECRET.fullmatch(form) or HIDDEN in form or REDACTED in form or _MARK in form
            ):
                self.found.add(form)


def _forms(value: str) -> set[str]:
    return {value, value.strip("\"'"), value.strip("\"',;)}")}


def _patterns_of(name: str) -> Iterator[re.Pattern[str]]:
    """Yield what finds the value of a name in a command."""
    own = rf"(?<![\w.-]){re.escape(name)}"
    yield re.compile(rf"(?s)^(?P<kept>ENV\s+{re.escape(name)}\s+)(?P<value>.+)")
    yield re.compile(
        rf"(?s)^(?P<kept>(?:ENV|ARG|LABEL)\s(?:.*\s)?[\"']?{re.escape(name)}[\"']?=)"
        # tried at the end of a word alone: a million blanks cost no more than a million letters
        rf"(?P<value>{_QUOTED}|.*?(?:(?<!\s)(?=\s+[\w.-]+=)|$))"
    )
    yield re.compile(rf"(?P<kept>{own}[\"']?\s*[=:]\s*)(?P<value>{_QUOTED}|\S+)")
