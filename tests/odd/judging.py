"""Whether what came of an odd answer is what users are promised: a result, or one good line."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from lamella.errors import LamellaError

__all__ = ["fault_of"]

_LONGEST = 2000
_CODES = {1, 2, 3, 4, 5, 7}


def fault_of(call: Callable[[], object]) -> str | None:
    """Do something; return what is wrong with how it failed, or None."""
    try:
        call()
    except LamellaError as error:
        said = str(error)
        if not said.isprintable():
            return f"not printable: {said[:300]!r}"
        if not 10 < len(said) <= _LONGEST:
            return f"{len(said)} characters: {said[:300]!r}"
        if error.exit_code not in _CODES:
            return f"exit code {error.exit_code}: {said}"
        return None
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {where.filename}:{where.lineno}: {str(error)[:300]!r}"
    return None
