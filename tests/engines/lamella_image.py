"""The container image of lamella, as `make image` builds it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lamella import __version__
from tests.engines.daemon import EngineUnavailableError

__all__ = ["FOR_DOCKER", "NAME", "OCI", "build_image"]

NAME = f"lamella:{__version__}"
OCI, FOR_DOCKER = "lamella-image.oci.tar", "lamella-image.tar"
_ROOT = Path(__file__).resolve().parents[2]


def build_image(folder: Path) -> None:
    """Build it, as two archives in a folder.

    Raises:
        EngineUnavailableError: this is not the system that it is built on.
    """
    if "VERSION_CODENAME=bookworm\n" not in Path("/etc/os-release").read_text():
        raise EngineUnavailableError("it is built on Debian 12")
    done = subprocess.run(
        [sys.executable, "-m", "container.build", folder],
        cwd=_ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
