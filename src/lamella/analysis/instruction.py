"""A history entry's command, made readable: the Dockerfile instruction that it came from."""

from __future__ import annotations

import re

__all__ = ["instruction"]

_NOP = re.compile(r"[^#\n]{1,200} #\(nop\)\s+")
_SHELL = re.compile(r"(?:RUN )?(?:\|\d+ (?P<args>.*?) )?/bin/sh -c (?P<command>.*)", re.DOTALL)
_BUILDKIT = re.compile(r"\s+# buildkit$")
# The classic builder names what it copied by a hash, and where to at the end.
_COPIED = re.compile(
    r"(?P<verb>ADD|COPY) (?P<flags>(?:--\S+ )*)"
    r"(?P<kind>dir|file|multi):[0-9a-f]+ +in +(?P<path>.+)",
    re.DOTALL,
)


def instruction(created_by: str) -> str:
    """Turn a history entry's command into the Dockerfile instruction it came from.

    What the classic builder copied is shown by where it went: ``COPY dir:… /app``.
    """
    text = _BUILDKIT.sub("", created_by.strip())
    if _NOP.match(text):
        text = _NOP.sub("", text, count=1).strip()
        copied = _COPIED.fullmatch(text)
        return "{verb} {flags}{kind}:… {path}".format_map(copied.groupdict()) if copied else text
    shell = _SHELL.fullmatch(text)
    return f"RUN {shell['command']}" if shell else text
