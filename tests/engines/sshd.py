"""A real ssh server on loopback, and an ssh that knows it."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.engines.process import run
from tests.engines.tools import Tool
from tests.support.machine import patience

__all__ = ["Sshd", "sshd_on_loopback"]

_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/mine.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""
_CLIENT = """\
Host *
IdentityFile {folder}/mine
UserKnownHostsFile {folder}/known
StrictHostKeyChecking accept-new
BatchMode yes
LogLevel ERROR
"""
_STARTING = 30.0


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and the folder of the ssh command that may log in."""

    port: int
    commands: Path

    @property
    def address(self) -> str:
        """As in ``ssh://USER@HOST:PORT``."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"


@contextlib.contextmanager
def sshd_on_loopback(sshd: Tool, folder: Path) -> Iterator[Sshd]:
    """Serve whoever runs the tests; ssh finds its settings in a folder, not in their home."""
    for name in ("host", "mine"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    for name, text in (("server", _SERVER), ("client", _CLIENT)):
        (folder / name).write_text(text.format(folder=folder, port=port))
    commands = folder / "commands"
    commands.mkdir()
    ssh = commands / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n')
    ssh.chmod(0o755)
    if not os.getuid():
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it, empty
    log = folder / "log"
    process = subprocess.Popen([sshd.path, "-D", "-E", log, "-f", folder / "server"])
    try:
        _wait(port, process, log)
        yield Sshd(port, commands)
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + patience(_STARTING)
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)
