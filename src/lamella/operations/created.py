"""The time of a new image, in the words of its config."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lamella.errors import UsageError

__all__ = ["created_text"]

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def created_text(created: datetime | str | None, epoch: str | None) -> str | None:
    """Return the time of a new image as every engine can read it, RFC 3339; None: the source's.

    Args:
        created: a time, ``now`` or ``source``; None: nothing was said.
        epoch: SOURCE_DATE_EPOCH, which counts then:
            https://reproducible-builds.org/specs/source-date-epoch/

    Raises:
        UsageError: one of both is no time.
    """
    if created is None:
        return _of_epoch(epoch) if epoch else None
    if isinstance(created, datetime):
        if created.tzinfo is None:
            raise UsageError(f"`created` {created}: expected a time with a time zone, got none")
        return _format(created.astimezone(UTC))
    if created in {"now", "source"}:
        return _format(datetime.now(UTC).replace(microsecond=0)) if created == "now" else None
    if _RFC3339.fullmatch(created) and _is_date(created):
        return created
    if _DATE.fullmatch(created) and _is_date(created):
        return f"{created}T00:00:00Z"
    raise UsageError(
        f"`created` {created!r}: expected source, now, 2026-01-31 or 2026-01-31T12:00:00Z"
    )


def _of_epoch(text: str) -> str:
    try:
        return _format(datetime.fromtimestamp(int(text), UTC))
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH: expected seconds since 1970, got {text!r:.60}"
        ) from None


def _format(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
