"""What others say, whatever form it has: their words for messages, their JSON, their wishes."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lamella.spec.json import load_json

__all__ = ["field_of", "is_page", "load_object", "one_line", "redact", "retry_after", "words_of"]

_LONGEST = 500
_LONGEST_TEXT = 300
_LONGEST_PAUSE = 10**9
_SECRET = re.compile(
    r"([?&;][\w.~%-]*(?:signature|sig|token|secret|password|credential|key)[\w.~%-]*=)[^&;\s\"'<>]+",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"(\w://)[^/@\s]*@")
_HEADER = re.compile(r"\b((?:Bearer|Basic) )[A-Za-z0-9+/=_.~-]{8,}", re.IGNORECASE)
_TITLE = re.compile(r"<(title|message)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)


def one_line(text: str, limit: int = _LONGEST) -> str:
    """Return text that takes one line, does nothing to a terminal and has a bound."""
    bare = " ".join(text[: 4 * limit].split())
    return "".join(c if c.isprintable() else "\ufffd" for c in bare)[:limit]


def redact(text: str) -> str:
    """Strike out what may open a door: accounts and signatures in URLs, tokens in headers."""
    text = _ACCOUNT.sub(r"\1***@", _SECRET.sub(r"\1***", text))
    return _HEADER.sub(r"\1***", text)


def is_page(raw: bytes) -> bool:
    """Whether an answer is a web page (or another thing of tags), not what a program reads."""
    return raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def load_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object that an answer holds; an empty one if it holds none."""
    try:
        value = load_json(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def field_of(value: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - whatever it says
    """Return a field by its name, or by one that differs in case, as Go finds it; else None."""
    if name in value:
        return value[name]
    return next((value[key] for key in value if key.lower() == name.lower()), None)


def words_of(raw: bytes) -> str:
    """Return the other side's own words: those of its JSON, the title of a page, or the text."""
    if is_page(raw):
        title = _TITLE.search(raw.decode("utf-8", "replace"))
        if title is None:
            return ""
        import html  # noqa: PLC0415 - a page is what few answer

        return redact(one_line(html.unescape(title[2]), _LONGEST_TEXT))
    try:
        value = load_json(raw)
    except ValueError:
        return redact(one_line(raw[: 4 * _LONGEST_TEXT].decode("utf-8", "replace"), _LONGEST_TEXT))
    return redact(one_line("; ".join(_iter_words(value))))


def _iter_words(value: object) -> Iterator[str]:
    """Yield what a JSON error says: https://github.com/opencontainers/distribution-spec, errors."""
    if isinstance(value, str):
        yield value
    if not isinstance(value, dict):
        return
    errors = field_of(value, "errors")
    for error in errors if isinstance(errors, list) else [value]:
        if isinstance(error, dict) and (said := _said(error)):
            yield said


def _said(error: Mapping[str, Any]) -> str:
    names = ("message", "error_description", "details", "detail", "error", "code")
    found = (field_of(error, name) for name in names)
    words = next((word for word in found if isinstance(word, str) and word), "")
    code = field_of(error, "code")
    return f"{words} ({code})" if isinstance(code, str) and code not in {"", words} else words


def retry_after(value: str) -> float | None:
    """Return how many seconds the other side wants to be left alone; None if it doesn't say."""
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(min(int(value[:12]), _LONGEST_PAUSE))
    try:
        moment = email.utils.parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
