"""How many examples a property is tried with.

By default few, always the same and without a time limit for one, so that a build is as quick today
as tomorrow. With ``LAMELLA_EXAMPLES=N`` in the environment N times as many; if N is above 1, at
random.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.support.machine import share

__all__ = ["examples"]

_FACTOR = float(os.environ.get("LAMELLA_EXAMPLES", "1"))
_LEAST = 10


def examples(count: int) -> settings:
    """Return the settings of a property that is tried so many times by default."""
    some = max(round(count * _FACTOR), min(count, _LEAST))
    return settings(
        max_examples=round(count * _FACTOR) if _FACTOR > 1 else share(some, least=_LEAST),
        derandomize=_FACTOR <= 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
