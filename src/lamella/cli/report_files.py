"""Reports of an analysis: to files, to standard output, to the summary of a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from lamella.cli.completion import complete_file
from lamella.cli.page import write_page
from lamella.errors import UsageError

__all__ = ["FORMATS", "append_summary", "complete_report", "reports_option", "write_reports"]

FORMATS = ("text", "json", "sarif", "junit", "markdown", "github")
_IN_FILES = FORMATS[:-1]


def complete_report(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer formats, and files behind one."""
    if "=" in incomplete:
        return complete_file(context, parameter, incomplete)
    forms = (f"{form}=" for form in _IN_FILES)
    return [CompletionItem(form) for form in forms if form.startswith(incomplete)]


def reports_option(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read ``FORMAT=FILE``, as often as it is given; return formats by file.

    Raises:
        UsageError: it is something else.
    """
    del context, parameter
    reports: dict[str, str] = {}
    for value in values:
        form, _, file = value.partition("=")
        if form not in _IN_FILES or not file or file == "-":
            known = ", ".join(_IN_FILES)
            raise UsageError(
                f"--report: expected FORMAT=FILE with one of {known}, got {value!r:.60}"
            )
        if file in reports:
            raise UsageError(f"--report: {file} is given twice")
        reports[file] = form
    return reports


def write_reports(reports: dict[str, str], render: Callable[[str], str]) -> None:
    """Write each report to its file, which is whole or not there.

    Raises:
        OutputError: one can't be written.
    """
    for file, form in reports.items():
        write_page(file, render(form))


def append_summary(path: str, text: str) -> None:
    """Add to the summary of a job, which earlier steps may have begun.

    Raises:
        OutputError: it can't be written.
    """
    from lamella.files import write_all  # noqa: PLC0415 - only jobs have summaries
    from lamella.transport.file.atomic import writing  # noqa: PLC0415 - as above

    with writing(path), Path(path).open("ab", buffering=0) as file:
        write_all(file, text.encode())
