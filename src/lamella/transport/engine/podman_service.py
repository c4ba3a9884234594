"""A ``podman system service`` of our own: started when it is needed, gone when it is not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress

from lamella.errors import EngineError
from lamella.files import TemporaryFolder
from lamella.transport.processes import end_process
from lamella.waiting import patience

__all__ = ["PodmanService"]

_START_TIMEOUT = 120.0
_STOP_TIMEOUT = 10.0
_POLL = 0.02
_LONGEST_SOCKET = 100
"""Bytes that every system takes as the path of a socket (Linux: 107, macOS: 103)."""
# The shell becomes Podman; before, it starts another that waits for our end of the pipe to be
# closed: if lamella is killed and can't stop the service, that one does.
_SCRIPT = """
exec 3<&0 </dev/null
{ read -r line <&3 || kill $$; } &
exec 3<&- "$1" system service --time=0 "unix://$2"
"""


class PodmanService:
    """The service, shared by all that need one; it runs as long as anybody does.

    The podman command finds its storage as it always does: by its own settings.
    """

    def __init__(self) -> None:
        self._users = 0
        self._running: _Running | None = None
        self._lock = threading.Lock()

    def take(self, path: str | None) -> str:
        """Return the URL of the service, which is started for the first; `give_back` follows.

        Args:
            path: where commands are looked for; None: where this process has its own from.

        Raises:
            EngineError: there is no podman command, or it can't start.
        """
        with self._lock:
            if self._running is None:
                self._running = _Running(_find_command(path))
            self._users += 1
            return self._running.url

    def give_back(self) -> None:
        """Let go of it; the last one stops it."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._running is not None:
                running, self._running = self._running, None
                running.stop()


def _find_command(path: str | None) -> str:
    command = shutil.which("podman", path=path)
    if command is None:
        raise EngineError(
            "can't reach Podman: no service listens, and there is no podman command to start one; "
            "set CONTAINER_HOST, or use docker-archive:FILE"
        )
    return command


class _Running:
    def __init__(self, command: str) -> None:
        self._folder = TemporaryFolder("lamella-podman-", _short_folder())
        self._socket = self._folder.path / "podman.sock"
        self.url = f"unix://{self._socket}"
        self._log = self._folder.path / "log"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = self._start(command)
            self._wait(self._process)
        except OSError as error:
            self.stop()
            raise EngineError(f"can't start {command}: {error.strerror or error}") from error
        except BaseException:
            self.stop()
            raise

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the command is the user's own podman
                ["/bin/sh", "-c", _SCRIPT, "podman", command, str(self._socket)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: the service is needed to tidy up
            )

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._answers():
            if process.poll() is not None:
                raise EngineError(f"podman system service ended at once: {self._last_words()}")
            if time.monotonic() > deadline:
                raise EngineError(
                    f"podman system service did not answer within {_START_TIMEOUT:.0f} seconds: "
                    f"{self._last_words()}"
                )
            time.sleep(_POLL)

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as knocking:
            knocking.connect(str(self._socket))
            return True
        return False

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return "; ".join(line.strip() for line in lines[-3:] if line.strip()) or "it said nothing"

    def stop(self) -> None:
        """End it; nothing of it is left."""
        try:
            if self._process is not None:
                self._stop(self._process)
        finally:
            self._folder.remove()

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.write(b"\n")  # the shell that waits for the end of the pipe ends
                process.stdin.close()
        process.terminate()
        end_process(process, patience(_STOP_TIMEOUT))


def _short_folder() -> str | None:
    """Where the socket's path is short enough: the usual place, or else /tmp."""
    return None if len(tempfile.gettempdir()) < _LONGEST_SOCKET - 40 else "/tmp"  # noqa: S108 - a folder of our own in it
