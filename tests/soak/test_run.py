from __future__ import annotations

from pathlib import Path

import pytest

from soak.run import HERE, load, main
from tests.engines.tools import Tool

CHEAP = sorted(set(load(HERE)) - {"headers", "signals", "syscalls"})
"""Those that need no other program, and have no tests of their own."""

pytestmark = pytest.mark.slow

HARNESS = """
import os, sys, time
from soak.harness import Harness, Round

def run(seed, folder):
    {body}
    return Round(3, [], [])

HARNESS = Harness("planted", "things", run)
"""


def soak(tmp: Path, capsys: pytest.CaptureFixture[str], body: str, *more: str) -> tuple[int, str]:
    """Run rounds of a harness that does what is given; return the exit code and the output."""
    (tmp / "planted.py").write_text(HARNESS.format(body=body), encoding="utf-8")
    where = ["--from", str(tmp), "--kept", str(tmp / "kept")]
    code = main([*where, "--rounds", "2", "--seed", "7", *more])
    return code, capsys.readouterr().out


def test_what_is_right_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rounds without a finding are counted, nothing is kept, and the exit code is 0."""
    code, out = soak(tmp_path, capsys, "pass")
    assert code == 0
    assert out.splitlines()[-1].split()[:5] == ["planted", "2", "6", "things", "0"]
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_planted_finding_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding is told with its seed and the command that repeats it; its input is kept."""
    body = "(folder / 'input').write_bytes(b'x'); return Round(1, [f'wrong {seed}'], [])"
    code, out = soak(tmp_path, capsys, body)
    assert code == 1
    assert "planted, seed 8: wrong 8" in out
    assert "make soak ONLY=planted SEED=8 ROUNDS=1" in out
    assert (tmp_path / "kept" / "planted-8" / "input").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("body", "word", "limit"),
    [
        ("raise ValueError('broken in itself')", "broken in itself", "60"),
        ("os.kill(os.getpid(), 9)", "ended with -9", "60"),
        ("time.sleep(100)", "not done after 1 s", "1"),
        ("os.fork() or time.sleep(100); os._exit(3)", "ended with 3", "60"),
    ],
    ids=["raises", "crashes", "hangs", "leaves a process"],
)
def test_a_broken_round_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, word: str, limit: str
) -> None:
    """A round that can't say what it found fails the soak as a finding does."""
    code, out = soak(tmp_path, capsys, body, "--limit", limit)
    assert code == 1
    assert word in out


def test_unknown_names_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A harness that does not exist is an error and not a soak of nothing."""
    assert soak(tmp_path, capsys, "pass", "--only", "nothing")[0] == 2


@pytest.mark.engine
def test_a_round_of_failing_system_calls_finds_nothing(
    strace: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """This one needs strace."""
    assert "strace" in strace("--version")
    code = main(["--only", "syscalls", "--rounds", "1", "--seed", "1", "--kept", str(tmp_path)])
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", CHEAP)
def test_a_round_finds_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One round of each harness that needs little time is part of the tests."""
    code = main(["--only", name, "--rounds", "1", "--seed", "1", "--kept", str(tmp_path)])
    assert code == 0, capsys.readouterr().out
