"""Writes and removes the file that the docker command finds."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from lamella import __version__
from lamella.cli.plugin.places import read_plugin
from lamella.cli.plugin.script import Script, make_script
from lamella.errors import OutputError
from lamella.files import NewFile, sync_folder, write_all
from lamella.transport.file.atomic import writing

__all__ = ["install_plugin", "remove_plugin", "this_lamella"]

_SECONDS = 60
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def this_lamella() -> Script:
    """Return what a plugin says that starts this lamella."""
    metadata = {
        "SchemaVersion": "0.1.0",
        "Vendor": "lamella",
        "Version": __version__,
        "ShortDescription": "Squash layers of an image into one",
    }
    if url := _project_url():
        metadata["URL"] = url
    return Script(sys.executable, metadata)


def _project_url() -> str:
    try:
        urls = importlib.metadata.metadata("lamella").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    return next((url.partition(",")[2].strip() for url in urls), "")


def install_plugin(path: Path, *, force: bool) -> None:
    """Write the plugin, complete or not at all.

    Args:
        path: of the file.
        force: replace a file that lamella did not write.

    Raises:
        OutputError: it can't be written, such a file is there, or lamella would not start.
    """
    script = this_lamella()
    _check_start(script)
    with writing(str(path)):
        if not force and os.path.lexists(path) and read_plugin(path) is None:
            raise OutputError(f"{path} was not written by lamella; --force replaces it")
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, _FOLDER)
        try:
            _write(make_script(script), path.name, folder)
        finally:
            os.close(folder)


def _write(data: bytes, name: str, folder: int) -> None:
    new = NewFile(folder)
    try:
        write_all(new.file, data)
        os.fchmod(new.file.fileno(), 0o755)
        new.sync()
        new.give_name(name)  # a symlink of that name is replaced, not what it leads to
        sync_folder(folder)
    finally:
        new.close()


def _check_start(script: Script) -> None:
    """See to it that lamella starts as the plugin starts it: it may be run in another way."""
    start = [script.python, "-P", "-m", "lamella", "--version"]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter
            start, cwd="/", capture_output=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise OutputError(f"can't run {' '.join(start)}: {error}") from error
    if done.stdout.decode(errors="replace").strip() != f"lamella {__version__}":
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise OutputError(
            f"`{' '.join(start)}` does not start this lamella (it said: {said[-1]}); "
            "install lamella with pip, pipx or uv"
        )


def remove_plugin(path: Path) -> bool:
    """Remove the plugin.

    Returns:
        Whether there was one.

    Raises:
        OutputError: it can't be removed, or lamella did not write it.
    """
    with writing(str(path)):
        if not os.path.lexists(path):
            return False
        if read_plugin(path) is None:
            raise OutputError(f"{path} was not written by lamella; it is left as it is")
        path.unlink()
    return True
