"""``lamella demo``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from lamella import api
from lamella.cli.completion import complete_folder
from lamella.cli.headings import HeadedCommand
from lamella.cli.page import write_page
from lamella.cli.session import Session, plain_session
from lamella.cli.shared_options import html_option
from lamella.cli.suggested import best_squash, naming
from lamella.cli.terminal import say_text
from lamella.demo import BASE_LAYERS, write_demo_image
from lamella.errors import ImageError, UsageError
from lamella.files import TemporaryFolder
from lamella.report.html import render
from lamella.report.layers import tree_numbered
from lamella.report.text import human_size, summary

__all__ = ["command"]


@click.command(
    "demo", short_help="squash a sample image and verify it; needs no engine", cls=HeadedCommand
)
@click.option(
    "--keep",
    shell_complete=complete_folder,
    metavar="DIR",
    help="Keep the archives in this directory.",
)
@html_option("Also write the report of `lamella analyze`.")
@plain_session
def command(
    keep: str | None,
    html: str | None,
    session: Session,
) -> int:
    """Create a sample image with ten layers and the waste of typical builds, and squash it.

    It lists the layers, squashes all above the base, verifies that the file system is the same, and
    prints what was saved. It writes only to a temporary directory unless an option says otherwise.
    """
    if keep and os.path.isfile(keep):  # noqa: PTH113 - a plain question
        raise UsageError(f"--keep {keep}: expected a folder, got a file")
    with (
        TemporaryFolder("lamella-demo-", session.tmp_dir) as temporary,
        session.open() as env,
    ):
        folder = Path(keep) if keep else temporary.path
        folder.mkdir(parents=True, exist_ok=True)
        _play(folder / "demo.tar", folder / "demo-squashed.tar", env)
        if html:
            _draw(folder / "demo.tar", html, env)
    if keep:
        _say(f"\nBoth archives are in {keep}; `docker load -i` loads them.")
    else:
        _say("\nTo type these commands yourself: `lamella demo --keep .` keeps both archives.")
    return 0


def _play(source: Path, target: Path, env: api.Environment) -> None:
    _say("1. An image, as builds leave it\n")
    write_demo_image(source)
    with api.open_layers(str(source), env=env) as (_, lines):
        _say("\n".join(tree_numbered(lines)))

    _say("\n2. Everything above the base becomes one layer\n")
    base = str(BASE_LAYERS)
    tag = "lamella-demo:squashed"
    _say(f"   $ lamella squash demo.tar --from {base} -t {tag} -o demo-squashed.tar\n")
    result = api.squash(str(source), base, tag, output=f"docker-archive:{target}", env=env)
    _say("\n".join(summary(replace(result, source=source.name))))

    _say("\n3. Is it the same image?\n")
    _say("   $ lamella verify demo.tar demo-squashed.tar\n")
    found = api.verify(str(source), str(target), env=env)
    if found:
        message = f"the demo's images differ: {found[0]}"
        raise ImageError(message)
    _say("the same file system (content, modes, owners, times, hard links) and the same config")

    _say("\n4. What was gained\n")
    before, after = source.stat().st_size, target.stat().st_size
    _say(f"{human_size(before)} → {human_size(after)} ({100 - 100 * after // before} % less), and")
    _say("the base layer is untouched: registries and engines still share it.")
    _say("The deleted /root/.ssh/id_rsa no longer ships: it was in layer 5, deleted in layer 6.")


def _draw(source: Path, html: str, env: api.Environment) -> None:
    _say("\n5. Where the bytes are, as a page\n")
    _say(f"   $ lamella analyze demo.tar --html {html}\n")
    found = replace(api.analyze(str(source), env=env), reference=source.name)
    place = f"docker-archive:{source.name}"
    squash, named = best_squash(source.name, found, place), naming(place, found)
    write_page(html, render(found, squash=squash, naming=named))
    _say(f"{html} is ready: open it in a browser. It needs no network.")


def _say(text: str) -> None:
    say_text(text)
