"""An image that calls everything in it what no terminal should be told, shown on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest

from lamella.spec.digest import Digest
from tests.cli.running import COMMAND, environment
from tests.support.images import config_of, made_by
from tests.support.machine import patience
from tests.support.tars import layer, symlink, whiteout
from tests.transport.forms import docker_archive_with

pytestmark = pytest.mark.slow

_EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[41m\x9b2J\u202egnp\r\n\x1b[1A"
_NEVER = ("\x1b]", "\x1b[41m", "\x9b", "\u202e", "\x07")


def _image(path: Path, *, more: bool) -> str:
    """An archive whose tag, platform, steps, labels, files and targets are evil."""
    evil = _EVIL.encode()
    tars = [
        layer((b"etc/" + evil, b"x" * 9000), symlink(b"link" + evil, evil), (b"gone" + evil, b"y")),
        layer((b"root/.ssh/id_rsa" + evil, b"key"), whiteout(b"gone" + evil)),
        layer((b"etc/" + evil, b"z" * (9 if more else 8))),
    ]
    names = [f"{number}.tar" for number in range(len(tars))]
    config = config_of(
        [Digest.of(tar) for tar in tars],
        made_by(*(f"RUN {_EVIL}{number}" for number in range(3))),
        architecture=f"amd64{_EVIL}",
        os=f"linux{_EVIL}",
        config={"Labels": {_EVIL: _EVIL}, "Env": [f"A={_EVIL}"]},
    )
    files: dict[str, bytes | str] = {"c.json": json.dumps(config).encode()}
    files.update(zip(names, tars, strict=True))
    tags = [f"app{_EVIL}:1", f"app:{_EVIL}"]
    entry = {"Config": "c.json", "RepoTags": tags, "Layers": names}
    raw = docker_archive_with(files, [entry])
    path.write_bytes(raw)
    return f"docker-archive:{path}"


def _seen_on_a_terminal(arguments: list[str], tmp: Path) -> str:
    """Run a command whose standard output and error are a terminal; return what that gets."""
    master, slave = pty.openpty()
    env = environment(tmp, {"TERM": "xterm-256color", "COLUMNS": "200"})
    process = subprocess.Popen(
        [COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=tmp
    )
    os.close(slave)
    killer = threading.Timer(patience(60), process.kill)
    killer.start()
    got = b""
    try:
        while part := os.read(master, 1 << 16):
            got += part
    except OSError:  # EIO: everybody has closed it
        pass
    finally:
        killer.cancel()
        os.close(master)
    assert process.wait() in range(8)
    return got.decode(errors="surrogateescape")


@pytest.mark.parametrize(
    "command",
    [
        ["layers", "ONE"],
        ["layers", "--dead", "--no-trunc", "ONE"],
        ["layers", "--json", "ONE"],
        ["analyze", "ONE"],
        ["analyze", "--ci", "ONE"],
        ["analyze", "--json", "ONE"],
        ["verify", "ONE", "TWO"],
        ["verify", "--json", "ONE", "TWO"],
        ["squash", "--dry-run", "-v", "ONE"],
        ["squash", "ONE", "#1", "-o", "oci:new", "-vv", "--platform", "linux/arm64"],
        ["squash", "ONE", f"sha256:{_EVIL}"],
        ["squash", "ONE", "-t", f"new{_EVIL}"],
        ["layers", f"docker-archive:{_EVIL}"],
        ["layers", f"docker://registry.example/{_EVIL}"],
    ],
    ids=lambda command: " ".join(command[:3]).encode("ascii", "backslashreplace").decode()[:40],
)
def test_nothing_of_it_reaches_the_terminal(command: list[str], tmp_path: Path) -> None:
    """Neither in what is shown nor in what goes wrong."""
    images = {
        "ONE": _image(tmp_path / "one.tar", more=False),
        "TWO": _image(tmp_path / "two.tar", more=True),
    }
    seen = _seen_on_a_terminal([images.get(word, word) for word in command], tmp_path)
    assert seen.strip()
    assert [mark for mark in _NEVER if mark in seen] == []
    if "--json" in command:
        json.loads(seen[seen.index("{") : seen.rindex("}") + 1])
