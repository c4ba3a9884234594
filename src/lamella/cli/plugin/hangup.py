"""Ends lamella when the docker command, which started it, is asked to end.

A terminal sends Ctrl-C to both. Elsewhere only the docker command gets a signal, and closes a
socket, on which each plugin waits: https://pkg.go.dev/github.com/docker/cli/cli-plugins/socket.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress

__all__ = ["end_with_docker"]


def end_with_docker(address: str) -> None:
    """Send this process SIGTERM when the other side closes the socket.

    Args:
        address: of the socket; it begins with ``@`` if it is not in the file system, as Go has it.
    """
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError:
        line.close()  # the other side has gone, or speaks another protocol
        return
    threading.Thread(target=_wait, args=(line,), daemon=True).start()


def _wait(line: socket.socket) -> None:
    with suppress(OSError):
        while line.recv(1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
