"""Headers that the user wants sent with every request to a Docker engine, as a proxy may need.

https://docs.docker.com/reference/cli/docker/#custom-http-headers
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping

from lamella.errors import EngineError

__all__ = ["custom_headers"]

_VARIABLE = "DOCKER_CUSTOM_HEADERS"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: a token


def custom_headers(environment: Mapping[str, str], config: Mapping[str, object]) -> dict[str, str]:
    """Return the headers that the docker command would send.

    Those of the variable replace those of the file. Values may be secrets: no error shows them.

    Args:
        environment: DOCKER_CUSTOM_HEADERS, ``NAME=VALUE,NAME=VALUE`` as CSV has it.
        config: what config.json holds: HttpHeaders.

    Raises:
        EngineError: they are no headers.
    """
    if text := environment.get(_VARIABLE, "").strip():
        return _checked(_parsed(text), _VARIABLE)
    found = config.get("HttpHeaders")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise EngineError("HttpHeaders in Docker's config.json: expected names and texts")
    return _checked(found, "HttpHeaders in Docker's config.json")


def _parsed(text: str) -> dict[str, str]:
    try:
        (fields,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError):
        fields = [""]
    pairs = [field.partition("=") for field in fields]
    if not all(equals for _, equals, _ in pairs):
        raise EngineError(f"{_VARIABLE}: expected NAME=VALUE, separated by commas")
    return {name.strip(): value for name, _, value in pairs}


def _checked(headers: dict[str, str], where: str) -> dict[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise EngineError(f"{where}: {name!r:.60} is not a header name")
        if not value.isprintable() or not value.isascii():
            raise EngineError(f"{where}: the value of {name:.60} has characters no header may have")
    return headers
