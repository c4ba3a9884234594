"""Signals as a terminal's processes have them, whoever started the tests."""

import signal

__all__ = ["heed_signals"]


def heed_signals() -> None:
    """Heed SIGINT and SIGHUP, as all children do then.

    A shell lets what it runs in the background ignore the one, `nohup` the other.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
