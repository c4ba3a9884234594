"""Digests computed beside the reading: of all bytes, in their order, however they come."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.layer.hasher import Hasher
from tests.support.examples import examples
from tests.support.machine import patience

NOISE = os.urandom(1 << 18)


@examples(60)
@given(st.lists(st.one_of(st.integers(0, 40), st.integers((1 << 15) - 1, 1 << 18)), max_size=40))
def test_any_chunks(lengths: list[int]) -> None:
    """Small ones and large ones, one after another; what was asked on the way disturbs nothing."""
    hasher, whole = Hasher(), hashlib.sha256()
    for number, length in enumerate(lengths):
        hasher.update(NOISE[-length:] if length else b"")
        whole.update(NOISE[-length:] if length else b"")
        if number % 7 == 6:
            assert hasher.digest() == f"sha256:{whole.hexdigest()}"
    assert hasher.digest() == f"sha256:{whole.hexdigest()}"
    assert hasher.size == sum(lengths)


def test_many_at_once() -> None:
    """More of them than threads do not wait for each other."""
    hashers = [Hasher() for _ in range(50)]
    for length in (1 << 16, 1 << 18, 10):
        for number, hasher in enumerate(hashers):
            hasher.update(NOISE[number:length])
    for number, hasher in enumerate(hashers):
        whole = b"".join(NOISE[number:length] for length in (1 << 16, 1 << 18, 10))
        assert hasher.digest() == f"sha256:{hashlib.sha256(whole).hexdigest()}"


FORKED = """
import os
import subprocess
import sys
from lamella.layer.hasher import Hasher

def run():
    hasher = Hasher()
    hasher.update(bytes(1 << 20))
    return hasher.digest()

here = run()
child = os.fork()
if not child:
    os._exit(run() != here)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_hashes_too() -> None:
    """A server that squashed something and then forks has left its threads behind."""
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=patience(20))
