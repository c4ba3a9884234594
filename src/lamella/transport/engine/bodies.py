"""What an engine's answers have in them, read with limits, and as what it must be."""

from __future__ import annotations

import http.client
import re
from http import HTTPStatus
from typing import Any

from lamella import limits
from lamella.spec.json import load_json, read_as
from lamella.transport.answers import is_page, words_of

__all__ = ["value_of", "version_of", "whole_body"]


def version_of(text: str) -> tuple[int, int]:
    """Read a version of the API.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})", text.strip())
    if found is None:
        raise ValueError("it does not say which version of Docker's API it speaks")
    return int(found[1]), int(found[2])


def whole_body(answer: http.client.HTTPResponse) -> bytes:
    """Return the body of an answer; of an error as much as its words need.

    Raises:
        HTTPException: it is too large.
    """
    limit = limits.ANSWER if answer.status >= HTTPStatus.BAD_REQUEST else limits.LISTING
    if answer.length is not None and answer.length <= limit:
        return answer.read()  # only so it is told from one that broke off
    body = answer.read(limit + 1)
    if len(body) <= limit:
        return body
    if limit == limits.ANSWER:
        return body[:limit]
    raise http.client.HTTPException(f"its answer is too large: expected at most {limit} bytes")


def value_of(body: bytes, kind: object) -> Any:  # noqa: ANN401 - of that kind
    """Read a JSON answer of some kind; see `spec.json.read_as`.

    Raises:
        HTTPException: it is something else.
    """
    if is_page(body):
        words = words_of(body)
        title = f" ({words})" if words else ""
        raise http.client.HTTPException(f"it answers with a web page{title}")
    try:
        value = load_json(body)
    except ValueError as error:
        raise http.client.HTTPException(f"not JSON: {error}") from error
    try:
        return read_as(value, kind)
    except ValueError as error:
        raise http.client.HTTPException(f"an answer of another form: {error}") from error
