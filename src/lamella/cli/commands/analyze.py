"""``lamella analyze``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from lamella.cli.completion import complete_image
from lamella.cli.page import STDOUT, write_page
from lamella.cli.paint import make_painter
from lamella.cli.rules import add_dive_rules, bytes_option, share_option
from lamella.cli.session import Session, image_session
from lamella.cli.terminal import say, say_json, tell
from lamella.errors import UsageError

if TYPE_CHECKING:
    from lamella.report.rules import Verdict

__all__ = ["command"]

_BROKEN = 1


@click.command("analyze", short_help="tell what the bytes of an image are spent on")
@click.argument("image", shell_complete=complete_image)
@click.option("--json", "as_json", is_flag=True, help="One JSON document (`lamella help json`).")
@click.option(
    "--html",
    metavar="FILE",
    help="Write a page with pictures, to be opened in a browser (`lamella help report`). - sends "
    "it to standard output, in the place of the rest.",
)
@click.option(
    "--no-secrets-scan", is_flag=True, help="Don't look for keys and credentials in the layers."
)
@click.option(
    "--ci",
    is_flag=True,
    help="Hold the image against rules: those below, and those of a .dive-ci file in the working "
    "folder. Exit 1 if it breaks one. Any of the rules says --ci too.",
)
@click.option("--max-dead", callback=share_option, metavar="5%", help="At most so much is dead.")
@click.option("--max-dead-bytes", callback=bytes_option, metavar="10MB", help="The same, in bytes.")
@click.option(
    "--min-efficiency",
    callback=share_option,
    metavar="0.95",
    help="At least this by dive's measure.",
)
@click.option("--no-secrets", is_flag=True, help="There are no secrets, live or dead.")
@click.option("--ci-config", metavar="FILE", help="Rules of dive's, if not in .dive-ci.")
@click.option(
    "--platform",
    metavar="OS/ARCH[/V]",
    help="Which one of an image for several (default: this machine's).",
)
@image_session
def command(
    image: str,
    as_json: bool,
    html: str | None,
    no_secrets_scan: bool,
    ci: bool,
    max_dead: float | None,
    max_dead_bytes: int | None,
    min_efficiency: float | None,
    no_secrets: bool,
    ci_config: str | None,
    platform: str | None,
    session: Session,
) -> int:
    """Tell what the bytes of IMAGE are spent on, and what squashing would bring.

    Dead is what a layer has and a later one deletes or replaces: it ships, and nobody sees it.

    \b
      lamella analyze app:latest
      lamella analyze docker-archive:app.tar --json
      lamella analyze app:latest --ci --max-dead 5% --no-secrets
    """  # noqa: D301 - the mark is click's: lines stay as they are
    from lamella import api  # noqa: PLC0415 - completion needs the options alone
    from lamella.report import analyze as report  # noqa: PLC0415 - as above
    from lamella.report.rules import Rules, judge  # noqa: PLC0415 - as above

    if as_json and html == STDOUT:
        raise UsageError("--json and --html - both want standard output; give --html a file")
    if no_secrets and no_secrets_scan:
        raise UsageError("--no-secrets needs the scan that --no-secrets-scan leaves out; give one")
    rules = Rules(max_dead, max_dead_bytes, no_secrets, min_efficiency)
    asked = ci or ci_config is not None or rules != Rules()
    if asked:
        rules = add_dive_rules(rules, ci_config)
        if rules == Rules():
            raise UsageError("--ci: no rules; give some, like --max-dead 5%, or a .dive-ci file")
    with session.open() as env:
        found = api.analyze(image, platform=platform, secrets=not no_secrets_scan, env=env)
    verdicts = judge(found, rules) if asked else []
    if html is not None:
        from lamella.report.html import render  # noqa: PLC0415 - nothing else needs Jinja2

        write_page(html, render(found, image))
    if as_json:
        document = report.to_json(found)
        if asked:
            document["rules"] = [_to_json(verdict) for verdict in verdicts]
        say_json(document)
    elif html == STDOUT:
        tell(*map(_line, verdicts))
    else:
        best = report.best_savings(found)
        typed = _squash(image, best[0].first, best[0].last) if best else ""
        lines = report.screen(found, typed, make_painter())
        say(*lines, *([""] if verdicts else []), *map(_line, verdicts))
    return 0 if all(verdict.passed for verdict in verdicts) else _BROKEN


def _squash(image: str, first: int, last: int) -> str:
    """Return the command that squashes a range, with a new name for the result."""
    from lamella.report.text import printable  # noqa: PLC0415 - as above
    from lamella.transport.transports import parse_location  # noqa: PLC0415 - as above

    tag, output = parse_location(image).suggest()
    words = ["lamella", "squash", image, "--layers", f"{first}-{last}"]
    words += ["-t", tag] if tag else ["-o", output]
    return printable(shlex.join(words))


def _line(verdict: Verdict) -> str:
    word = "pass" if verdict.passed else "FAIL"
    return f"{word}  {verdict.rule}: {verdict.found}; want {verdict.limit}"


def _to_json(verdict: Verdict) -> dict[str, object]:
    return {
        "rule": verdict.rule.removeprefix("--").replace("-", "_"),
        "passed": verdict.passed,
        "found": verdict.found,
        "limit": verdict.limit,
    }
