"""What the README shows is what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lamella.cli.main import main

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"<!-- demo output.*?-->\n```text\n(?P<text>.*?)```", re.DOTALL)


def without_times(text: str) -> str:
    """Seconds differ from run to run."""
    return re.sub(r"\d+\.\d s\b", "N s", text)


def test_the_demo_in_the_readme_is_what_the_demo_prints(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who runs `make demo` sees what was promised, byte for byte but for the time."""
    monkeypatch.chdir(tmp_path)
    match = BLOCK.search(README.read_text(encoding="utf-8"))
    assert match is not None, "the README shows no demo"

    assert main(["demo", "--html", "demo.html"]) == 0

    assert without_times(capsys.readouterr().out) == without_times(match["text"])
    assert [path.name for path in tmp_path.iterdir()] == ["demo.html"]


def test_the_commands_in_the_demo_do_what_it_shows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever types them gets the same archive, and the same page."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--keep", ".", "--html", "demo.html"]) == 0
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    commands = re.findall(r"^ +\$ lamella (.*)", capsys.readouterr().out, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["squash", "verify", "analyze"]

    for name in ("demo-squashed.tar", "demo.html"):
        (tmp_path / name).unlink()
    for command in commands:
        assert main(command.split()) == 0

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == made
