"""The command, started quickly: a process of its own, whose modules are loaded already.

To start Python and load lamella takes longer than most of what tests ask it to do, and tests start
it hundreds of times. So a server loads it once and is cloned for each start. `warm_command` returns
a program that stands for the command: it hands its arguments, folder, environment and standard
streams to the clone, and ends as that ends. What the clone does is real; what it does not show is
how the program starts and takes signals, so tests of these start it themselves
(`tests.cli.running.COMMAND`).

Where the clone would differ (other variables of Python or the locale, a closed stream, another
user, no Linux), the program runs the command itself.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import marshal
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Literal, TextIO

__all__ = ["warm_command"]

_COMMAND = Path(sys.executable).with_name("lamella")
_SELDOM = ("lamella.cli.explore", "lamella.__main__", "lamella.fleet.dask")
"""Modules that few commands load, or that do something when they are loaded."""

_COUNTING = (b"PYTHON", b"LC_", b"LANG")
"""How variables begin that count while Python starts."""
_OTHER = b"PYTHONUNBUFFERED"
"""The one of them that a clone heeds."""

# It loads nothing that Python does not have loaded already, or in itself. marshal: same Python.
_PROGRAM = """\
#!{python} -IS
import marshal, os, sys, _socket, _struct as struct
told = {told!r}
here = {{n: v for n, v in os.environb.items() if n.startswith({counting!r}) and n != {other!r}}}
try:
    if here != told or os.getuid() != {uid}:
        raise OSError
    for stream in 0, 1, 2:
        os.fstat(stream)
    server = _socket.socket(_socket.AF_UNIX)
    server.connect({address!r})
except OSError:
    os.execv({command!r}, [{command!r}, *sys.argv[1:]])
mask = os.umask(0)
os.umask(mask)
arguments = [os.fsencode(a) for a in sys.argv[1:]]
said = marshal.dumps((arguments, os.getcwdb(), dict(os.environb), mask))
streams = _socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("3i", 0, 1, 2)
server.sendmsg([len(said).to_bytes(8, "big")], [streams])
server.sendall(said)
status = int(server.recv(16) or b"255")
if status < 0:
    import signal
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@cache
def warm_command() -> Path:
    """Return a program that does what the command does; its server ends with this process."""
    if not hasattr(os, "pidfd_open"):
        return _COMMAND
    folder = tempfile.TemporaryDirectory(prefix="lamella-warm-")
    atexit.register(folder.cleanup)
    address, program = f"{folder.name}/socket", Path(folder.name) / "lamella"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(listening.fileno())],
        stdin=subprocess.PIPE,  # its end tells the server that this process has ended
        stdout=subprocess.DEVNULL,
        pass_fds=[listening.fileno()],
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    listening.close()
    atexit.register(_end, server)
    told = {n: v for n, v in os.environb.items() if n.startswith(_COUNTING) and n != _OTHER}
    program.write_text(
        _PROGRAM.format(
            python=sys.executable,
            told=told,
            counting=_COUNTING,
            other=_OTHER,
            uid=os.getuid(),
            address=address,
            command=str(_COMMAND),
        ),
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def _end(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    server.wait()


def _serve(listening: socket.socket) -> None:
    """Return in each clone that is to be the command; end with the process that started this."""
    while True:
        ready, _, _ = select.select([0, listening.fileno()], [], [])
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if 0 in ready:
            os._exit(0)
        caller, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            if _attend(caller):
                return
        caller.close()


def _attend(caller: socket.socket) -> bool:
    """Start the command for a caller and tell it how that ended; return True in the command."""
    size, streams, _, _ = socket.recv_fds(caller, 8, 3)
    said, wanted = bytearray(), int.from_bytes(size, "big")
    while len(said) < wanted:
        said += caller.recv(wanted - len(said))
    if (command := os.fork()) == 0:
        caller.close()
        _become(streams, *marshal.loads(said))  # noqa: S302 - our own program said it
        return True
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(command)
    waited: list[int] = [ended, caller.fileno()]
    ready, _, _ = select.select(waited, [], [])
    if ended not in ready:  # the caller was killed
        os.kill(command, signal.SIGKILL)
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(OSError):
        caller.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(
    streams: list[int],
    arguments: list[bytes],
    folder: bytes,
    environment: dict[bytes, bytes],
    mask: int,
) -> None:
    """Take over what the caller has, as Python does when it starts."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(environment)
    os.umask(mask)
    sys.argv = [str(_COMMAND), *map(os.fsdecode, arguments)]
    sys.stdin = _opened(0, "rb", sys.stdin)
    sys.stdout = _opened(1, "wb", sys.stdout)
    sys.stderr = _opened(2, "wb", sys.stderr)


def _opened(number: int, mode: Literal["rb", "wb"], like: TextIO) -> TextIO:
    """Open a standard stream as Python does, in the encoding of the server's own."""
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED")) and mode == "wb"
    return io.TextIOWrapper(
        open(number, mode, 0 if unbuffered else -1, closefd=False),
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=number == 2 or os.isatty(number),
        write_through=unbuffered,
    )


def _load() -> None:
    """Load what most commands need."""
    import lamella  # noqa: PLC0415 - the process of the tests need not

    for module in pkgutil.walk_packages(lamella.__path__, "lamella."):
        if not module.name.startswith(_SELDOM):
            importlib.import_module(module.name)


def _main() -> None:
    _load()
    gc.collect()
    gc.freeze()  # what is never looked at need not be copied for a clone
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from lamella.cli.main import main  # noqa: PLC0415 - loaded by now

    code = main()
    # As Python ends, but for taking all modules apart.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _main()
