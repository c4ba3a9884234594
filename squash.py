#!/usr/bin/env python3
"""Squash an image of the Docker daemon: all layers of IMAGE above LAYER become one, tagged TAG.

The first form of lamella, kept as it was: `pip install -r requirements.txt` is all it needs. The
`lamella` command does the same and far more (see README.md).
"""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from lamella import api
from lamella.cli.failures import in_options
from lamella.errors import LamellaError, UsageError
from lamella.layer_list import LayerLine
from lamella.transport.environment import Environment

LOG = logging.getLogger()


class _Log:
    """Progress as log lines, one for each step."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Log that a step begins."""
        LOG.info("%s%s...", name[:1].upper() + name[1:], f" ({total} bytes)" if total else "")

    def advance(self, amount: int) -> None:
        """Steps alone are logged."""

    def note(self, message: str) -> None:
        """Log a line."""
        LOG.info("%s", message)

    def debug(self, message: str) -> None:
        """Log a line for somebody who looks for a fault."""
        LOG.debug("%s", message)


def squash(image: str, layer: str, tag: str, tmp_dir: str | None) -> None:
    """Squash, and log what is done.

    Raises:
        LamellaError: it could not be done; nothing has changed then.
    """
    env = replace(Environment.from_env(), tmp_dir=tmp_dir, progress=_Log())
    LOG.info("Squashing image '%s'...", image)
    with api.open_layers(f"docker-daemon:{image}", env=env) as (_, lines):
        LOG.info("Old image has %s layers", len(lines))
    result = api.squash(f"docker-daemon:{image}", layer, tag, env=env)
    if not result.ranges:
        LOG.info("Nothing to squash: at most one layer is above '%s'", layer)
    for squashed in result.ranges:
        _log_squashed(lines[squashed.first - 1 : squashed.last], squashed.diff_id)
    LOG.info("New image has %s layers", result.layers_after)
    LOG.info("New image ID is %s", result.id)
    LOG.info("Image registered in Docker daemon as %s", tag)


def _log_squashed(lines: Sequence[LayerLine], diff_id: str) -> None:
    LOG.info("Squashed %s layers: %s", len(lines), [line.id for line in lines])
    LOG.info("New layer ID %s", diff_id.removeprefix("sha256:"))


def _make_folder(tmp_dir: str) -> None:
    try:
        Path(tmp_dir).mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"temporary directory {tmp_dir} exists already; name a new one") from None
    except OSError as error:
        raise UsageError(f"can't make {tmp_dir}: {error.strerror}") from error


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C: everything is cleaned up on the way out."""
    del number, frame
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    parser = argparse.ArgumentParser(description="Squash layers of an image in Docker into one.")
    parser.add_argument(
        "-t", "--tmp-dir", help="temporary directory: it is created, and removed at the end"
    )
    parser.add_argument("image", help="name or ID of the image to squash")
    parser.add_argument(
        "layer",
        help="topmost layer to keep; all layers above it are squashed. A number from 1 (the base), "
        "a layer ID, or the name or ID of the base image",
    )
    parser.add_argument("tag", help="name of the new image")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("docker").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)
    made = False
    try:
        if arguments.tmp_dir:
            _make_folder(arguments.tmp_dir)
            made = True
        squash(arguments.image, arguments.layer, arguments.tag, arguments.tmp_dir)
    except LamellaError as error:
        LOG.error("%s", in_options(str(error)))  # noqa: TRY400 - a line for users, no traceback
        return error.exit_code
    except KeyboardInterrupt:
        LOG.error("interrupted; nothing was left behind")  # noqa: TRY400 - the same
        return 130
    finally:
        if made:
            shutil.rmtree(arguments.tmp_dir, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
