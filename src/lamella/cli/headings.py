"""A command whose help has its options under headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["HeadedCommand"]

_REST = "Options"
_SHARED = {
    "Registries and engines": ("authfile", "tls_verify", "ca", "insecure", "no_cache", "source"),
    "General": ("quiet", "verbose", "progress_mode", "tmp_dir", "help"),
}


class HeadedCommand(click.Command):
    """Shows first the options without a heading, then those of each heading.

    Args:
        headings: names of parameters by heading; those of a session have theirs.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's
        headings: Mapping[str, Sequence[str]] | None = None,
        **settings: Any,  # noqa: ANN401 - click's
    ) -> None:
        super().__init__(*args, **settings)
        self._headings = {**(headings or {}), **_SHARED}

    def headed(self, ctx: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return each heading with what it has: an option as it is typed, and what explains it."""
        records: dict[str, tuple[str, str]] = {}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if isinstance(option, click.Option) and record:
                name = "help" if option is self.get_help_option(ctx) else option.name or ""
                records[name] = record
        headed = {name for names in self._headings.values() for name in names}
        rest = [record for name, record in records.items() if name not in headed]
        found = [(_REST, rest)]
        for title, names in self._headings.items():
            found.append((title, [records[name] for name in names if name in records]))
        return [(title, rows) for title, rows in found if rows]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options; what explains them begins in the same column under all headings."""
        groups = self.headed(ctx)
        width = max(len(words) for _, rows in groups for words, _ in rows)
        for title, rows in groups:
            with formatter.section(title):
                formatter.write_dl([(words.ljust(width), about) for words, about in rows])
