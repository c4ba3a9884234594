#!/usr/bin/env python3
"""Show the layers of an image of the Docker daemon, the base first.

The first form of `lamella layers`, kept as it was: `pip install -r requirements.txt` is all it
needs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from lamella import api
from lamella.cli.failures import in_options
from lamella.errors import LamellaError
from lamella.report.layers import dockerfile, machine, tree
from lamella.transport.environment import Environment


def show(layer: str, *, commands: bool, as_dockerfile: bool, plain: bool, tags: bool) -> list[str]:
    """Return the lines to print.

    Raises:
        LamellaError: there is no such image, or no daemon.
    """
    env = Environment.from_env()
    with api.open_layers(f"docker-daemon:{layer}", tags=tags, env=env) as (image, lines):
        if as_dockerfile:
            return dockerfile(image)
        if plain:
            return machine(lines, commands=commands)
        return tree(lines, tags=tags, commands=commands)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    parser = argparse.ArgumentParser(
        description="List the layers of an image in Docker, base first."
    )
    parser.add_argument("layer", help="name or ID of the image")
    for short, name, about in (
        ("-c", "--commands", "show the command of each layer"),
        ("-d", "--dockerfile", "print a Dockerfile made from the history"),
        ("-m", "--machine", "one line per layer: ID, or ID|command with -c"),
        ("-t", "--tags", "show the local tags of each layer"),
    ):
        parser.add_argument(short, name, action="store_true", help=about)
    arguments = parser.parse_args(argv)
    others = (arguments.commands, arguments.machine, arguments.tags)
    if arguments.dockerfile and any(others):
        parser.error("-d goes with no other option: a Dockerfile has no IDs and tags")
    if arguments.machine and arguments.tags:
        parser.error("-t and -m exclude each other: the lines of -m have no tags")
    try:
        lines = show(
            arguments.layer,
            commands=arguments.commands,
            as_dockerfile=arguments.dockerfile,
            plain=arguments.machine,
            tags=arguments.tags,
        )
        print("\n".join(lines))
        sys.stdout.flush()
    except LamellaError as error:
        print(f"layers.py: {in_options(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
