"""No signal is lost: not before a wait, not in a finalizer, whatever lamella waits for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from soak.signals import SITUATIONS, signalled
from tests.support.machine import patience

pytestmark = pytest.mark.slow

_ROUNDS = 3 * len(SITUATIONS)
_FRAME = """
import os, signal, sys, threading
from lamella.cli.signals import signals
from lamella.waiting import Interrupted
signals.heed()
me = os.getpid()
try:
{body}
except Interrupted:
    print("interrupted")
"""
# Another thread gets the signal: it is noted, and the read of the main thread goes on, just as when
# it comes between the look at the notes and the read.
_BEFORE_A_WAIT = """
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.{name}}})
    def ask():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {{signal.{name}}})
        os.kill(me, signal.{name})
    pipe = os.fdopen(os.pipe()[0], "rb")
    threading.Timer(0.3, ask).start()
    pipe.read(1)
"""
_IN_A_FINALIZER = """
    class Late:
        def __del__(self):
            os.kill(me, signal.{name})
            for _ in range(3):
                threading.Event().wait(0.5)
    late = Late()
    del late
    os.read(os.pipe()[0], 1)
"""
_WHILE_CLEANING_UP = """
    try:
        os.kill(me, signal.{name})
        os.read(os.pipe()[0], 1)
    finally:
        for _ in range(3):
            os.kill(me, signal.{name})
            threading.Event().wait(0.2)
        print("cleaned up, ", end="")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (_BEFORE_A_WAIT, "interrupted\n"),
        (_IN_A_FINALIZER, "interrupted\n"),
        (_WHILE_CLEANING_UP, "cleaned up, interrupted\n"),
    ],
)
def test_one_signal_is_enough(name: str, body: str, said: str) -> None:
    """One signal ends a wait, though its first exception came too early; clean-up is finished."""
    script = _FRAME.format(body=body.format(name=name))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    assert (done.stdout, done.stderr) == (said, "")


@pytest.mark.parametrize("seed", range(_ROUNDS))
def test_at_any_moment(seed: int) -> None:
    """Asked once to end, at any moment, lamella ends soon, says so, and leaves nothing."""
    assert signalled(seed, forked=False) is None


def test_no_beat_outlasts_the_work() -> None:
    """Completion leaves by SystemExit; a beat would kill the process while Python ends."""
    script = """
import atexit, os, signal, sys
from lamella.cli.main import main
os.environ |= {"_LAMELLA_COMPLETE": "zsh_complete", "COMP_WORDS": "lamella sq", "COMP_CWORD": "1"}
atexit.register(lambda: print(signal.getitimer(signal.ITIMER_REAL)))
sys.argv = ["lamella"]
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=True,
    )
    assert done.stdout.endswith("\n(0.0, 0.0)\n")


def test_python_m_lamella() -> None:
    """`python -m lamella` is the command."""
    command = [sys.executable, "-m", "lamella"]
    done = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, check=True, timeout=patience(60)
    )
    assert done.stdout.startswith("lamella ")
    wrong = subprocess.run(
        [*command, "nonsense"], capture_output=True, check=False, timeout=patience(60)
    )
    assert wrong.returncode == 2
    assert wrong.stderr.startswith(b"lamella: ")
