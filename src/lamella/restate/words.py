"""Words of a Dockerfile instruction: where they end, and what their quotes and variables mean.

The rules are those of the classic builder, which also reads ``docker commit --change``:
https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["expand", "split_words"]

_QUOTES = "'\""
_ESCAPE = "\\"
_NAME = re.compile(r"\d+|[A-Za-z_]\w*")


def split_words(text: str) -> Iterator[str]:
    """Yield words, with their quotes and backslashes; blanks in quotes do not end a word.

    A quote that is not closed takes the rest; `expand` refuses it.
    """
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if not quote and char.isspace():
            if word:
                yield word
            word = ""
            continue
        word += char
        if char == _ESCAPE and quote != "'":
            word += text[at : at + 1]
            at += 1
        elif char == quote:
            quote = ""
        elif not quote and char in _QUOTES:
            quote = char
    if word:
        yield word


def expand(text: str, value_of: Callable[[str], str]) -> str:
    """Return a word without its quotes, and with values in place of variables.

    Args:
        text: the word.
        value_of: the value of a variable; empty if there is none.

    Raises:
        ValueError: a quote or a bracket is not closed, or a substitution is of no known form.
    """
    return _Expansion(text, value_of).run()


class _Expansion:
    """Reads a word once, from its beginning to its end."""

    def __init__(self, text: str, value_of: Callable[[str], str]) -> None:
        self._text, self._value_of, self._at = text, value_of, 0

    def run(self, end: str = "") -> str:
        """Return the meaning of what comes before an unquoted character, or of all the rest."""
        out = ""
        while (char := self._next()) != end:
            match char:
                case "":
                    raise ValueError(f"expected {end}, got the end")
                case "'":
                    out += self._until("'")
                case '"':
                    out += self._double_quoted()
                case "$":
                    out += self._variable()
                case "\\":
                    out += self._next()
                case _:
                    out += char
        return out

    def _next(self) -> str:
        char = self._text[self._at : self._at + 1]
        self._at += 1
        return char

    def _until(self, end: str) -> str:
        stop = self._text.find(end, self._at)
        if stop < 0:
            raise ValueError(f"expected a closing {end}, got the end")
        found = self._text[self._at : stop]
        self._at = stop + 1
        return found

    def _double_quoted(self) -> str:
        out = ""
        while (char := self._next()) != '"':
            if not char:
                raise ValueError('expected a closing ", got the end')
            if char == "$":
                out += self._variable()
            elif char == _ESCAPE and self._text[self._at : self._at + 1] in ('"', "$", _ESCAPE, ""):
                out += self._next()
            else:
                out += char
        return out

    def _variable(self) -> str:
        """Return what stands for ``$NAME``, ``${NAME}``, ``${NAME:-word}`` or ``${NAME:+word}``."""
        if self._text[self._at : self._at + 1] != "{":
            name = self._name()
            return self._value_of(name) if name else "$"
        self._at += 1
        name = self._name()
        how = self._next()
        if name and how == "}":
            return self._value_of(name)
        how += self._next()
        if not name or how not in {":-", ":+"}:
            message = "expected ${NAME}, ${NAME:-WORD} or ${NAME:+WORD}"
            raise ValueError(message)
        word, value = self.run("}"), self._value_of(name)
        return (value or word) if how == ":-" else (word if value else "")

    def _name(self) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]
