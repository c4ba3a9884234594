"""What is said of errors that are none of lamella's own."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from lamella.cli import failures
from lamella.cli.failures import explain
from lamella.cli.main import main


def _deeper(n: int) -> int:
    return _deeper(n + 1) + 1


def test_recursion_is_a_nested_input() -> None:
    """Python's own error, as a parser that calls itself raises it; no bug to report."""
    with pytest.raises(RecursionError) as found:
        _deeper(0)
    assert explain(found.value) == ("the input is nested too deeply to be read", 1)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory"),
        (
            RuntimeError("can't start new thread"),
            "can't start a thread: the system allows no more (see `ulimit -u`)",
        ),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "No space left on device", "a/b"), "a/b: No space left on device"),
        (RuntimeError("new"), "unexpected RuntimeError: new; please report it (-vv shows where)"),
    ],
)
def test_limits_of_the_system_are_no_bugs(error: Exception, said: str) -> None:
    """Only what nobody expects is to be reported."""
    assert explain(error) == (said, 1)


@pytest.mark.parametrize(
    "left", ["nothing was left behind", "the new image was already written", "the cache is kept"]
)
def test_interrupted(monkeypatch: pytest.MonkeyPatch, left: str) -> None:
    """By the key, or by click where it asks something."""
    known = "" if left.startswith("nothing") else left
    monkeypatch.setattr(failures, "left_behind", lambda: known)
    for error in (KeyboardInterrupt(), click.Abort()):
        assert explain(error) == (f"interrupted; {left}", 130)


def test_streams_of_a_caller_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever calls `main` writes to them afterwards, whatever has failed."""
    with (tmp_path / "out").open("w+") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr("lamella.cli.group.run", _fails)
        assert main(["layers", "x"]) == 1
        out.write("after")
        out.seek(0)
        assert out.read() == "after"


def _fails(arguments: list[str]) -> int:
    del arguments
    raise OSError(5, "Input/output error")
