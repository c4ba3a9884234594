"""The console examples of the docs: run as a reader would run them, in order, in one folder.

``python -m tests.docs.console docs/cli.md`` writes their outputs anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.demo import put_demo
from tests.support.warm import warm_command

__all__ = ["commands_of", "run_all", "without_times"]

# Progress is shown of what takes long, which depends on the machine.
_SILENT = """
lamella() {
    case $1 in
        analyze|cat|delta|demo|diff|export|layers|ls|plan|rebase|squash|verify)
            command=$1; shift; command lamella "$command" --progress none "$@";;
        *) command lamella "$@";;
    esac
}
docker() {
    case $1 in
        squash) shift; command docker squash --progress none "$@";;
        *) command docker "$@";;
    esac
}
"""
_BLOCK = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def commands_of(block: str) -> list[str]:
    """Return the lines of a block that are typed."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def without_times(text: str) -> str:
    """Seconds differ from run to run."""
    text = re.sub(r"\d+\.\d s\b", "0.1 s", text)
    return re.sub(
        r'("(?:total|fetch|plan|write|verify|publish|compare)": )\d+\.\d+', r"\g<1>0.1", text
    )


def run_all(page: str, more: Mapping[str, str] | None = None) -> str:
    """Run every command of a page in a folder with the demo's image; return the page, outputs anew.

    Standard output and standard error are shown as they come on a terminal of 80 columns.

    Args:
        page: its text.
        more: further variables of the environment.
    """
    more = more or {}
    with tempfile.TemporaryDirectory(prefix="lamella-docs-") as folder:
        put_demo(Path(folder) / "demo.tar")
        return _BLOCK.sub(lambda match: _fill(match["text"], folder, more), page)


def _fill(block: str, folder: str, more: Mapping[str, str]) -> str:
    parts = [f"$ {command}\n{_run(command, folder, more)}" for command in commands_of(block)]
    return "```console\n" + "".join(parts) + "```"


def _run(command: str, folder: str, more: Mapping[str, str]) -> str:
    tools = os.fspath(Path(sys.executable).parent)
    kept = {
        k: v
        for k, v in os.environ.items()
        if k not in {"SOURCE_DATE_EPOCH", "TERM", "GITHUB_STEP_SUMMARY"}
    }
    env = {
        **kept,
        "PATH": os.pathsep.join([str(warm_command().parent), tools, os.environ["PATH"]]),
        "COLUMNS": "80",
        "PYTHONUNBUFFERED": "1",
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
        **more,
    }
    done = subprocess.run(
        ["sh", "-c", _SILENT + command],
        cwd=folder,
        env=env,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
    )
    text = done.stdout.decode()
    return without_times(text if text.endswith("\n") or not text else text + "\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(run_all(path.read_text(encoding="utf-8")), encoding="utf-8")
