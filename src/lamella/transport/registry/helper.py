"""Asking a credential helper, ``docker-credential-NAME get``, which may answer anything or nothing.

https://github.com/docker/docker-credential-helpers#development
"""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
import time
from contextlib import suppress

from lamella import limits
from lamella.spec.json import load_json
from lamella.transport.answers import field_of, one_line
from lamella.transport.processes import end_process

__all__ = ["HelperFailed", "ask_helper"]

_PATIENCE = 60.0
"""Seconds; the user may have to type a passphrase."""
_GLANCE = 0.1
"""Seconds after which it is looked whether anybody still wants the answer."""
_NOT_FOUND = "credentials not found in native keychain"


class HelperFailed(Exception):
    """It gave no answer that can be used; the message says why, and shows none of it."""


def ask_helper(program: str, server: str, stopped: threading.Event) -> tuple[str, str] | None:
    """Return the user and the secret that a helper keeps for a server; None if it keeps none.

    Args:
        program: its name, without ``docker-credential-``.
        server: what the login is kept under.
        stopped: ends the wait.

    Raises:
        HelperFailed: it is not installed, fails, hangs, or its answer makes no sense.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - it is named in the user's own file
            [f"docker-credential-{program}", "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise HelperFailed("it is not installed") from None
    except (OSError, ValueError) as error:
        raise HelperFailed(getattr(error, "strerror", None) or "it can't be run") from None
    try:
        said, complaint = _converse(process, server.encode(), stopped)
        code = _end_of(process)
    finally:
        end_process(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
    if code:
        _check_refusal(said, complaint, code)
        return None
    return _parse(said)


def _converse(
    process: subprocess.Popen[bytes], server: bytes, stopped: threading.Event
) -> tuple[bytes, bytes]:
    """Ask; return what it prints on both streams, until it closes them or has ended."""
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - for types
    with suppress(OSError):  # it may end without having read anything
        process.stdin.write(server)
        process.stdin.close()
    until = time.monotonic() + _PATIENCE
    heard = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in heard:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            if stopped.is_set():
                raise HelperFailed("interrupted")
            if time.monotonic() > until:
                raise HelperFailed(f"it did not answer within {_PATIENCE:.0f} s")
            # Looked at first: between the two it may print its answer and end.
            has_ended = process.poll() is not None
            ready = selector.select(_GLANCE)
            if not ready and has_ended:
                break  # something that it started holds the pipes
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                heard[key.fd] += chunk
                if not chunk:
                    selector.unregister(key.fd)
                if len(heard[key.fd]) > limits.ANSWER:
                    raise HelperFailed(f"it prints more than {limits.ANSWER >> 20} MiB")
    said, complaint = heard.values()
    return bytes(said), bytes(complaint)


def _end_of(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise HelperFailed("it does not end") from None


def _check_refusal(said: bytes, complaint: bytes, code: int) -> None:
    """Tell a helper that has no such login, which is no failure, from one that failed."""
    words = (said.strip() or complaint).decode("utf-8", "replace")
    if words.strip() == _NOT_FOUND:
        return
    raise HelperFailed(f"it failed: {one_line(words, 300) or f'exit code {code}'}")


def _parse(said: bytes) -> tuple[str, str] | None:
    """Read the answer; nothing of it is for messages."""
    if not said.strip():
        raise HelperFailed("it printed nothing")
    try:
        value = load_json(said.decode())
    except ValueError:  # UnicodeDecodeError is one
        raise HelperFailed("its output is not JSON") from None
    if not isinstance(value, dict):
        raise HelperFailed("its output is not a JSON object")
    user, secret = field_of(value, "Username"), field_of(value, "Secret")
    if user in {"", None} and secret in {"", None}:
        return None  # docker-credential-pass says so
    if not isinstance(user, str) or not isinstance(secret, str) or not user:
        raise HelperFailed("its answer has no Username and Secret")
    return user, secret
