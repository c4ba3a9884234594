"""Being asked to end, by SIGINT, SIGTERM or SIGHUP: no signal is lost, and each ends the work.

Python notes a signal and looks at its notes before it waits in the system. A signal that comes
between the look and the wait is noted while the wait goes on, possibly without end; and an
exception that a signal's handler raises is lost where it can't be caught (in ``__del__``, for
example). So there is a beat: a timer's signal, several times a second. It interrupts each wait of
the main thread, and raises the exception again if that is not on its way already.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lamella.waiting import Interrupted, ask_to_end, is_asked_to_end

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["INTERRUPTED", "signals"]

INTERRUPTED = 130
"""The exit code."""
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_BEAT = 0.2
_FAST_BEAT = 0.02
_LONGEST_CLEANUP = 15.0
_LONGEST_STEP = 0.4
_STEPS = frozenset({"__enter__", "__exit__", "__del__", "enter_context", "commit"})
"""Functions that are to be finished, if they don't take long: they hold what is not cleaned up yet,
or what is half done."""


class _Signals:
    """How a process heeds signals, from its start to its end."""

    def __init__(self) -> None:
        self._begun = self._over = False
        self._asked = 0.0

    @property
    def is_program(self) -> bool:
        """Whether the process is lamella's own, and does not only call it."""
        return self._begun

    def heed_again(self) -> None:
        """Handle signals again, after other code has handled them."""
        if self._begun:
            self.heed()

    def heed(self) -> None:
        """Begin."""
        self._begun = True
        for number in _ending():
            signal.signal(number, self._ask)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._beat)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
            signal.setitimer(signal.ITIMER_REAL, _BEAT, _BEAT)
        sys.unraisablehook = _forgive

    def stop(self) -> None:
        """Heed none any more: what there is to say is said. Whoever called `main` keeps theirs."""
        if not self._begun:
            return
        self._over = True
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number in _ending():
            signal.signal(number, signal.SIG_IGN)

    def leave(self, code: int) -> None:
        """End the process at once if a thread still waits for something: it is not waited for."""
        main = threading.main_thread()
        if any(t is not main and not t.daemon for t in threading.enumerate()):
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number
        if not is_asked_to_end():
            ask_to_end()
            self._asked = time.monotonic()
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, _FAST_BEAT, _FAST_BEAT)
        self._raise(frame)

    def _beat(self, number: int, frame: FrameType | None) -> None:
        del number
        if is_asked_to_end():
            self._raise(frame)

    def _raise(self, frame: FrameType | None) -> None:
        """Raise the exception, unless it is raised already and things are being cleaned up."""
        if self._over:
            return
        passed = time.monotonic() - self._asked
        forgiving = frame is not None and frame.f_code is _forgive.__code__
        if forgiving or _is_on_its_way(sys.exception()):
            if passed > _LONGEST_CLEANUP:  # it hangs: better to be gone than to be waited for
                os._exit(INTERRUPTED)
        elif passed > _LONGEST_STEP or not _is_within_step(frame):
            raise Interrupted


def _ending() -> Iterator[signal.Signals]:
    """Yield the signals that ask to end, but for those that are ignored, as nohup has it."""
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            yield number


def _is_on_its_way(error: BaseException | None) -> bool:
    """Whether the exception is being handled, or another one that came while it was."""
    while error is not None and not isinstance(error, Interrupted):
        error = error.__context__
    return error is not None


def _is_within_step(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name in _STEPS:
            return True
        frame = frame.f_back
    return False


def _forgive(lost: sys.UnraisableHookArgs) -> None:
    """Say nothing of an exception that was lost: it is raised again."""
    if not isinstance(lost.exc_value, Interrupted):
        sys.__unraisablehook__(lost)


signals = _Signals()
"""Those of this process."""
