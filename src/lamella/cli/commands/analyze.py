"""``lamella analyze``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from lamella import __version__
from lamella.cli.completion import complete_image
from lamella.cli.headings import HeadedCommand
from lamella.cli.page import STDOUT, write_page
from lamella.cli.paint import make_painter, screen_width
from lamella.cli.report_files import (
    FORMATS,
    append_summary,
    complete_report,
    reports_option,
    write_reports,
)
from lamella.cli.rules import rule_options
from lamella.cli.session import Session, image_session
from lamella.cli.shared_options import html_option, json_option, platform_option
from lamella.cli.suggested import best_squash, naming
from lamella.cli.terminal import say, say_json, say_text, tell
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.analysis.compare import Comparison
    from lamella.report.drawing import Paint
    from lamella.report.rules import Gate, Rules

__all__ = ["command"]

_BROKEN = 6


@click.command(
    "analyze",
    short_help="show where an image's bytes go",
    cls=HeadedCommand,
    headings={
        "Output": ("form", "as_json", "reports", "html", "other"),
        "Rules": (
            *("ci", "max_dead", "max_dead_bytes", "max_size", "max_layers", "forbid_secrets"),
            *("min_efficiency", "rules", "ci_config"),
        ),
    },
)
@click.argument("image", shell_complete=complete_image)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    metavar="FORMAT",
    help=f"Format of standard output: {', '.join(FORMATS[:-1])} or github (default: text).",
)
@json_option("Same as --format json (`lamella help json`).")
@click.option(
    "--report",
    "reports",
    multiple=True,
    callback=reports_option,
    shell_complete=complete_report,
    metavar="FORMAT=FILE",
    help="Also write a report to FILE; can be repeated.",
)
@html_option("Write an HTML page (`lamella help report`).")
@click.option(
    "--compare",
    "other",
    metavar="IMAGE",
    shell_complete=complete_image,
    help="Show another image beside this one.",
)
@click.option("--no-secrets-scan", is_flag=True, help="Don't look for secrets in the layers.")
@rule_options
@platform_option()
@image_session
def command(
    image: str,
    form: str | None,
    as_json: bool,
    reports: dict[str, str],
    html: str | None,
    other: str | None,
    no_secrets_scan: bool,
    rules: Rules,
    platform: str | None,
    session: Session,
) -> int:
    """Show where the bytes of IMAGE go, and what squashing would save.

    A byte is dead if a later layer deletes or replaces it: it is transferred and stored, but no
    container can see it.

    \b
      lamella analyze app:latest
      lamella analyze docker-archive:app.tar --json
      lamella analyze app:latest --ci --max-dead 5% --forbid-secrets
      lamella analyze app:1 --compare app:2 --html diff.html
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella import api  # noqa: PLC0415 - completion needs the options alone
    from lamella.report.formats import render  # noqa: PLC0415 - as above
    from lamella.report.rules import Rules, check  # noqa: PLC0415 - as above

    form = _format(form, as_json=as_json, html=html)
    if other is not None:
        if form not in {"text", "json"} or reports or rules != Rules():
            raise UsageError("--compare goes with --html and --json, not with rules or reports")
        with session.open() as env:
            both = api.compare(
                image, other, platform=platform, secrets=not no_secrets_scan, env=env
            )
        _print_comparison(both, form, html)
        return 0
    with session.open() as env:
        found = api.analyze(image, platform=platform, secrets=not no_secrets_scan, env=env)
    gate = check(found, rules)
    squash = best_squash(image, found, platform=platform)

    def rendered(wanted: str) -> str:
        return render(wanted, gate, _screen(gate, squash), __version__)

    if html is not None:
        from lamella.report.html import render as render_page  # noqa: PLC0415 - for Jinja2

        named = naming(image, found, platform)
        write_page(html, render_page(found, image, squash, named))
    write_reports(reports, rendered)
    _print(gate, squash, form, to_stderr=html == STDOUT)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if form == "github" and summary:
        append_summary(summary, rendered("markdown"))
    return 0 if gate.passed else _BROKEN


def _print_comparison(both: Comparison, form: str, html: str | None) -> None:
    from lamella.report import compare as report  # noqa: PLC0415 - as above

    if html is not None:
        write_page(html, report.page(both))
    if form == "json":
        say_json(report.to_json(both))
    elif html != STDOUT:
        say(*report.screen(both, make_painter(), screen_width(report.WIDTH)))


def _format(form: str | None, *, as_json: bool, html: str | None) -> str:
    """Return what standard output gets."""
    if as_json and form not in {None, "json"}:
        raise UsageError(f"--json and --format {form}: both write to standard output; give one")
    form = "json" if as_json else form or "text"
    if html == STDOUT and form != "text":
        option = "--json" if as_json else f"--format {form}"
        raise UsageError(f"{option} and --html - both write to standard output; give --html a file")
    return form


def _print(gate: Gate, squash: str, form: str, *, to_stderr: bool) -> None:
    from lamella.report.formats import render  # noqa: PLC0415 - as above
    from lamella.report.verdicts import line, to_json  # noqa: PLC0415 - as above

    if to_stderr:
        tell(*map(line, gate.verdicts))
    elif form == "json":
        say_json(to_json(gate))
    elif form == "text":
        say(*_screen(gate, squash, make_painter()))
    else:
        say_text(render(form, gate, (), __version__).removesuffix("\n"))


def _screen(gate: Gate, squash: str, paint: Paint | None = None) -> list[str]:
    from lamella.report import analyze as report  # noqa: PLC0415 - as above
    from lamella.report.drawing import plain  # noqa: PLC0415 - as above
    from lamella.report.verdicts import line  # noqa: PLC0415 - as above

    width = screen_width(report.WIDTH) if paint else report.WIDTH
    lines = report.screen(gate.analysis, squash, paint or plain, width)
    return [*lines, *([""] if gate.verdicts else []), *map(line, gate.verdicts)]
