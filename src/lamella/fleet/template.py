"""Where each result goes: a reference with ``{fields}`` of the source's name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lamella.errors import UsageError

__all__ = ["FIELDS", "fill"]

FIELDS: Mapping[str, str] = {
    "host": "the registry, with its port",
    "repository": "the name without host and tag: team/app",
    "name": "the last part of the repository, or the file's name without its ending: app",
    "tag": "the tag",
}
"""What a template may have, by name."""
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def fill(template: str, parts: Mapping[str, str], source: str) -> str:
    """Return a destination; ``{{`` and ``}}`` are braces.

    Args:
        template: as ``docker://{host}/{repository}:{tag}-slim``.
        parts: of the source's name; see `transport.location.Location.parts`.
        source: what messages call the source.

    Raises:
        UsageError: the template has a field that the source has not, or makes no sense.
    """

    def value(found: re.Match[str]) -> str:
        whole, name = found[0], found[1]
        if whole in {"{{", "}}"}:
            return whole[0]
        if name is None:
            raise UsageError(f"template {template!r}: expected {{FIELD}}, or {{{{ for a brace")
        if name not in FIELDS:
            raise UsageError(
                f"template {template!r}: no field {{{name}}}; expected one of {_listed(FIELDS)}"
            )
        if not parts.get(name):
            raise UsageError(
                f"template {template!r}: {source} has no {name}; it has {_listed(parts)}"
            )
        return parts[name]

    return _FIELD.sub(value, template)


def _listed(names: Mapping[str, str]) -> str:
    return ", ".join(f"{{{name}}}" for name, value in names.items() if value) or "nothing to name"
