"""JSON of other programs, read as Go's ``encoding/json`` reads it, since engines are written in Go.

Two steps. `load_json` turns a text into values. `read_as` then reads an object as Go reads it into
a struct: names of fields in any case, the last of several wins or adds to what is there, null
changes nothing, a wrong type is an error. What results has each known field once, under its own
name, so that a document that is rewritten can't have a field twice. Unknown fields stay.

Rules: https://pkg.go.dev/encoding/json#Unmarshal; where ours differ is told in
tests/differential/test_documents.py, which compares with Go.

`load_json` raises `ValueError` with a short reason: callers know what they read and from where.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from lamella import limits
from lamella.errors import MalformedImage

__all__ = [
    "ANY",
    "BOOLEAN",
    "INTEGER",
    "TEXT",
    "Fields",
    "Many",
    "Named",
    "Number",
    "check_size",
    "format_json",
    "load_json",
    "parse_json",
    "parse_json_list",
    "read_as",
]

_LONGEST_INT = 18
"""Digits of an integer that needs no care: it fits into 64 bits."""
_LONE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True)
class Number:
    """A number that Python can't hold as it is written: a fraction, or one of many digits."""

    text: str


class Object(dict[str, Any]):
    """An object, with its members in the order and as often as they were written."""

    pairs: Sequence[tuple[str, Any]]

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, Any]]) -> Object:
        """Return the object of some members; of those of the same name the last counts."""
        value = cls(pairs)
        value.pairs = pairs
        return value


def check_size(size: int, where: str) -> None:
    """See to it that a document is not too large to be read.

    Raises:
        MalformedImage: it is.
    """
    if size > limits.DOCUMENT:
        raise MalformedImage(where, f"too large: expected {limits.DOCUMENT} bytes, got {size}")


# -- text to values


def _each_byte(error: UnicodeError) -> tuple[str, int]:
    """Put U+FFFD for each byte that is no UTF-8, as Go does; Python puts one for several."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("lamella.each-byte", _each_byte)


def load_json(raw: bytes | str) -> Any:  # noqa: ANN401 - whatever the text says
    """Return the value that a JSON text stands for.

    Bytes that are no UTF-8, and halves of surrogate pairs, become U+FFFD.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "lamella.each-byte")
    _check_depth(text)
    value = json.loads(
        text,
        object_pairs_hook=Object.of,
        parse_int=_integer,
        parse_float=_fraction,
        parse_constant=_refuse,
    )
    return _whole(value) if _ESCAPED_SURROGATE.search(text) or _LONE.search(text) else value


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= limits.NESTING:
        return
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > limits.NESTING:
            message = f"nested more than {limits.NESTING} deep"
            raise ValueError(message)


def _integer(text: str) -> int | Number:
    return int(text) if len(text) <= _LONGEST_INT and text != "-0" else Number(text)


def _fraction(text: str) -> float | Number:
    value = float(text)
    return value if repr(value) == text else Number(text)


def _refuse(text: str) -> NoReturn:
    message = f"{text} is not a JSON value"
    raise ValueError(message)


def _whole(value: Any) -> Any:  # noqa: ANN401 - any value
    match value:
        case str():
            return _LONE.sub("\ufffd", value)
        case list():
            return [_whole(item) for item in value]
        case Object():
            return Object.of([(_whole(name), _whole(item)) for name, item in value.pairs])
    return value


# -- values to text


def format_json(value: object) -> bytes:
    """Return JSON bytes: no blanks, keys in the order given, so equal values give equal bytes.

    Raises:
        ValueError: the value can't be said in JSON (half a surrogate pair, an infinite number).
    """
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except TypeError:  # a Number, which only the slower way can say
        text = _format(value)
    if _ESCAPED_SURROGATE.search(text):
        json.dumps(json.loads(text), ensure_ascii=False).encode()  # fails for half a pair
    return text.encode()


def _format(value: object) -> str:
    match value:
        case Number():
            return value.text
        case dict():
            return "{" + ",".join(f"{json.dumps(k)}:{_format(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_format, value)) + "]"
    return json.dumps(value, allow_nan=False)


# -- values read into fields

ANY = "any value"
TEXT = "text"
INTEGER = "an integer"
BOOLEAN = "true or false"


@dataclass(frozen=True)
class Many:
    """A list; Go's slice."""

    of: Any


@dataclass(frozen=True)
class Named:
    """An object with any names; Go's map."""

    of: Any


@dataclass(frozen=True)
class Fields:
    """An object with known fields; Go's struct."""

    kinds: Mapping[str, Any]
    is_pointer: bool = False
    """Whether null takes away what was there."""

    def name_of(self, name: str) -> str | None:
        """Return the field that a member's name means: its own name, or that in another case."""
        if name in self.kinds:
            return name
        folded = _fold(name)
        return next((own for own in self.kinds if own.lower() == folded), None)


_INT64 = range(-(1 << 63), 1 << 63)
_FOLDED = {0x212A: "k", 0x17F: "s"}  # the Kelvin sign and the long s: all that fold to ASCII


def _fold(name: str) -> str:
    return name.translate(_FOLDED).lower()


def parse_json(raw: bytes, where: str, fields: Fields) -> dict[str, Any]:
    """Read a document: an object with known fields.

    Raises:
        MalformedImage: it is no JSON, or no such object; Go programs refuse it, too.
    """
    return dict(_parse(raw, where, fields, "a JSON object"))


def parse_json_list(raw: bytes, where: str, fields: Fields) -> list[dict[str, Any]]:
    """Read a document that is a list of objects with known fields.

    Raises:
        MalformedImage: as `parse_json`.
    """
    found = _parse(raw, where, Many(fields), "a list")
    return [item or {} for item in found]


def _parse(raw: bytes, where: str, kind: Any, want: str) -> Any:  # noqa: ANN401 - of that kind
    check_size(len(raw), where)
    try:
        found = read_as(load_json(raw), kind)
    except _WrongType as error:
        raise MalformedImage(where, str(error)) from None
    except (ValueError, RecursionError) as error:
        raise MalformedImage(where, f"invalid JSON ({error})") from error
    if found is None:
        raise MalformedImage(where, f"expected {want}, got null")
    return found


class _WrongType(ValueError):
    def __init__(self, want: str, got: object, path: str = "") -> None:
        super().__init__(f"{path}: " * bool(path) + f"expected {want}, got {_shown(got)}")
        self.want, self.got, self.path = want, got, path

    def within(self, name: str) -> _WrongType:
        rest = self.path if not self.path or self.path.startswith("[") else f".{self.path}"
        return _WrongType(self.want, self.got, name + rest)


def _shown(value: object) -> str:
    match value:
        case Number():
            text = value.text
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - a line


def read_as(value: Any, kind: Any, old: Any = None) -> Any:  # noqa: ANN401 - as the kind says
    """Read a value as Go reads it into a variable of a type.

    Args:
        value: out of `load_json`.
        kind: `TEXT`, `INTEGER`, `BOOLEAN`, `ANY`, or a `Many`, `Named`, `Fields`.
        old: what the variable holds from an earlier member of the same name; None: nothing.

    Returns:
        The value, or None where Go has what a variable holds at first.

    Raises:
        ValueError: it, or something in it, is of another type; the message tells what and where.
    """
    if kind == ANY:
        return value
    if value is None:
        keeps = isinstance(kind, str) or (isinstance(kind, Fields) and not kind.is_pointer)
        return old if keeps else None
    match kind:
        case Many(of):
            return _read_list(value, of, old or [])
        case Named(of):
            return _read_map(value, of, old or {})
        case Fields():
            return _read_fields(value, kind, old or {})
    return _read_scalar(value, kind)


def _read_scalar(value: object, kind: str) -> object:
    if kind == INTEGER and isinstance(value, Number) and re.fullmatch(r"-?[0-9]{1,19}", value.text):
        value = int(value.text)
    right = {
        TEXT: isinstance(value, str),
        BOOLEAN: isinstance(value, bool),
        INTEGER: isinstance(value, int) and not isinstance(value, bool) and value in _INT64,
    }
    if not right[kind]:
        raise _WrongType(kind, value)
    return value


def _read_list(value: object, of: Any, old: list[Any]) -> list[Any]:  # noqa: ANN401 - as above
    if not isinstance(value, list):
        raise _WrongType("a list", value)
    found = []
    for number, item in enumerate(value):
        before = old[number] if number < len(old) else None
        try:
            read = read_as(item, of, before)
        except _WrongType as error:
            raise error.within(f"[{number}]") from None
        found.append(_zero(of) if read is None else read)
    return found


def _read_map(value: object, of: Any, old: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - as above
    if not isinstance(value, Object):
        raise _WrongType("an object", value)
    found = dict(old)
    for name, item in value.pairs:
        try:
            read = read_as(item, of)
        except _WrongType as error:
            raise error.within(name) from None
        found[name] = _zero(of) if read is None else read
    return found


def _zero(kind: Any) -> Any:  # noqa: ANN401 - as above
    """Return what null stands for in a list or a map, which have no absent members."""
    empty: dict[str, Any] = {TEXT: "", INTEGER: 0, BOOLEAN: False}
    if isinstance(kind, str):
        return empty.get(kind)
    return {} if isinstance(kind, Fields) and not kind.is_pointer else None


def _read_fields(value: object, kind: Fields, old: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, Object):
        raise _WrongType("an object", value)
    found = dict(old)
    for name, item in value.pairs:
        own = kind.name_of(name)
        if own is None:
            found[name] = item
            continue
        try:
            found[own] = read_as(item, kind.kinds[own], found.get(own))
        except _WrongType as error:
            raise error.within(own) from None
    return found
