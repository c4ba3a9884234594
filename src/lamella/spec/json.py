"""JSON of other programs, read as Go's ``encoding/json`` reads it, since engines are written in Go.

Every fault is a `ValueError` with a short reason: callers know what they read and from where.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["load_json"]


def load_json(raw: bytes | str) -> Any:  # noqa: ANN401 - whatever the text says
    """Return the value that a JSON text stands for.

    Raises:
        ValueError: it is no JSON, too deep, or a number has too many digits.
    """
    try:
        return json.loads(raw)
    except RecursionError:
        message = "nested too deep"
        raise ValueError(message) from None
