"""What is left out and changed, from what a caller asks for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from lamella.analysis.secrets.allowed import Allowed
from lamella.errors import UsageError
from lamella.merge.edits import Edits
from lamella.merge.patterns import PathPatterns
from lamella.operations.created import created_text
from lamella.tar.writer import FURTHEST_TIME

__all__ = ["EPOCH", "allow_texts", "clamp_text", "edits_of", "pattern_texts"]

EPOCH = "SOURCE_DATE_EPOCH"
"""Stands for the time that the variable of this name says."""
_START = datetime(1970, 1, 1, tzinfo=UTC)


def edits_of(
    exclude: str | Sequence[str], clamp_mtime: datetime | str | None, epoch: str | None
) -> Edits:
    """Return the edits of a squash.

    Args:
        exclude: patterns as in ``.dockerignore``.
        clamp_mtime: the latest time of an entry: a value, RFC 3339, or `EPOCH`.
        epoch: SOURCE_DATE_EPOCH: https://reproducible-builds.org/specs/source-date-epoch/

    Raises:
        UsageError: a pattern makes no sense, or headers can't say the time.
    """
    patterns = PathPatterns.parse((exclude,) if isinstance(exclude, str) else exclude)
    latest = None if clamp_mtime is None else _nanoseconds(clamp_mtime, epoch)
    return Edits(leave_out=patterns if patterns.texts else None, latest=latest)


def pattern_texts(exclude: str | Sequence[str]) -> tuple[str, ...]:
    """Return the patterns that say something.

    Raises:
        UsageError: one makes no sense.
    """
    return PathPatterns.parse((exclude,) if isinstance(exclude, str) else exclude).texts


def allow_texts(allow: str | Sequence[str]) -> tuple[str, ...]:
    """Return the lines that say something of what is no secret.

    Raises:
        UsageError: one makes no sense.
    """
    return Allowed.parse(allow).texts if allow else ()


def clamp_text(given: datetime | str, epoch: str | None) -> str:
    """Return a latest time in RFC 3339, whatever stood for it.

    Raises:
        UsageError: it is no time.
    """
    if given == EPOCH and not epoch:
        raise UsageError(f"`clamp_mtime` {EPOCH}: this variable is not set")
    text = None
    if given == EPOCH:
        text = created_text(None, epoch)
    elif given not in {"now", "source"}:
        with suppress(UsageError):  # which would list the values of `created`
            text = created_text(given, None)
    if text is None:
        raise UsageError(
            f"`clamp_mtime` {given!r}: expected {EPOCH}, 2026-01-31 or 2026-01-31T12:00:00Z"
        )
    return text


def _nanoseconds(given: datetime | str, epoch: str | None) -> int:
    moment = datetime.fromisoformat(clamp_text(given, epoch))
    nanoseconds = (moment - _START) // timedelta(seconds=1) * 10**9
    if not 0 <= nanoseconds <= FURTHEST_TIME:
        raise UsageError(f"`clamp_mtime` {given}: expected a time from 1970 to 2242")
    return nanoseconds
