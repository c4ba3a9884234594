"""What to type next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamella.analysis.model import Analysis

__all__ = ["best_squash", "naming"]


def best_squash(
    image: str, analysis: Analysis, place: str = "", platform: str | None = None
) -> str:
    """Return the command for the squash that saves most; empty: none saves anything.

    Args:
        image: what to type for the image.
        analysis: what was found in it.
        place: where it is, if it is not yet there where the command will be typed.
        platform: which one of it was asked for.
    """
    from lamella.report.analyze import best_savings, squash_words  # noqa: PLC0415 - completion needs none of it
    from lamella.report.text import printable  # noqa: PLC0415 - as above

    best = best_savings(analysis)
    if not best:
        return ""
    words = ["lamella", "squash", image, *squash_words(analysis, best[0])]
    named = naming(place or image, analysis, platform)
    return " ".join(filter(None, (printable(shlex.join(words)), named)))


def naming(place: str, analysis: Analysis, platform: str | None = None) -> str:
    """Return the options that say what the result of a squash is called, and where it goes.

    Args:
        place: where the image is.
        analysis: what was found in it.
        platform: which one of it was asked for.
    """
    from lamella.report.text import printable  # noqa: PLC0415 - completion needs none of it
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    tag, output = parse_location(place).suggest(analysis.tags)
    options = {"--platform": platform, "-t": tag, "-o": output}
    words = [word for name, value in options.items() if value for word in (name, value)]
    return printable(shlex.join(words))
