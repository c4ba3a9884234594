"""An image to show what squashing does: ten layers with the waste that real builds leave.

It is made in code, the same bytes each time, and needs neither an engine nor a network. Its
Dockerfile would be::

    FROM scratch            # a small system: programs (hard links), /etc, package lists
    RUN  install python     # packages, and their archives left in /var/cache
    COPY . /app             # an application with its modules
    RUN  chown -R app /app  # every file a second time
    COPY id_rsa /root/.ssh/ # a key …
    RUN  fetch, rm id_rsa   # … "removed" one layer later
    RUN  rm -rf /var/cache/apt && mkdir /var/cache/apt
    COPY model /srv/model   # a model …
    COPY model /srv/model   # … and a newer one over it
    RUN  mv a program that has hard links
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from lamella.spec.config import format_json
from lamella.spec.digest import Digest
from lamella.tar.entry import DIRECTORY, HARD_LINK, REGULAR, SYMLINK, Header
from lamella.tar.header import padding
from lamella.tar.writer import END_OF_ARCHIVE, format_header
from lamella.transport.file.atomic import AtomicFile
from lamella.transport.file.tarball import ArchiveWriter

__all__ = ["BASE_LAYERS", "NAME", "write_demo_image"]

NAME = "lamella-demo:latest"
BASE_LAYERS = 1
_EPOCH = 1_700_000_000 * 10**9
_APP = 1000


class _DemoLayer:
    """The tar of one layer, entry by entry."""

    def __init__(self, made_by: str) -> None:
        self.made_by = made_by
        self._parts: list[bytes] = []
        self._folders: set[str] = set()

    def folder(self, path: str, owner: int = 0) -> None:
        """Add a directory and, where need be, those above it."""
        parent = path.rpartition("/")[0]
        if parent and parent not in self._folders:
            self.folder(parent)
        self._folders.add(path)
        self._add(Header(path.encode() + b"/", DIRECTORY, 0o755, owner, owner, mtime=_EPOCH))

    def file(self, path: str, content: bytes, mode: int = 0o644, owner: int = 0) -> None:
        """Add a file."""
        self._parent(path)
        size = len(content)
        self._add(Header(path.encode(), REGULAR, mode, owner, owner, size, _EPOCH), content)

    def link(self, path: str, target: str) -> None:
        """Add a hard link."""
        self._parent(path)
        header = Header(path.encode(), HARD_LINK, 0o755, mtime=_EPOCH, link=target.encode())
        self._add(header)

    def symlink(self, path: str, target: str) -> None:
        """Add a symlink."""
        self._parent(path)
        self._add(Header(path.encode(), SYMLINK, 0o777, mtime=_EPOCH, link=target.encode()))

    def delete(self, path: str) -> None:
        """Add a whiteout."""
        folder, _, name = path.rpartition("/")
        self.file(f"{folder}/.wh.{name}", b"", mode=0)

    def _parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self._folders:
            self.folder(parent)

    def _add(self, header: Header, content: bytes = b"") -> None:
        self._parts += [format_header(header), content, bytes(padding(len(content)))]

    def tar(self) -> bytes:
        """Return the whole tar."""
        return b"".join(self._parts) + END_OF_ARCHIVE


def _build() -> Iterator[_DemoLayer]:
    noise = random.Random(7)  # noqa: S311 - filler, no secret
    yield from _system(noise)
    yield from _application(noise)
    yield from _clean_up(noise)


def _system(noise: random.Random) -> Iterator[_DemoLayer]:
    base = _DemoLayer("ADD rootfs.tar / # a small system")
    base.file("bin/busybox", noise.randbytes(900_000), 0o755)
    for applet in ("sh", "ls", "cat", "cp", "mv", "rm"):
        base.link(f"bin/{applet}", "bin/busybox")
    base.file("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/app:/bin/sh\n")
    base.symlink("etc/mtab", "/proc/mounts")
    for i in range(300):
        base.file(
            f"usr/share/doc/package{i:03d}/copyright", noise.randbytes(noise.randint(500, 4000))
        )
    base.folder("var/cache/apt")
    base.file("var/cache/apt/pkgcache.bin", noise.randbytes(1_500_000))
    yield base

    apt = _DemoLayer("RUN apt-get install python3")
    packages = [noise.randbytes(noise.randint(100_000, 900_000)) for _ in range(12)]
    for i, content in enumerate(packages):
        apt.file(f"var/cache/apt/archives/python{i}.deb", content)
        apt.file(f"usr/lib/python3/module{i}.so", content[: len(content) * 2 // 3])
    yield apt


def _sources() -> list[str]:
    return [f"app/src/m{i % 20:02d}/file{i:03d}.py" for i in range(400)]


def _application(noise: random.Random) -> Iterator[_DemoLayer]:
    sources = {path: noise.randbytes(3000) for path in _sources()}
    copy = _DemoLayer("COPY . /app")
    for path, content in sources.items():
        copy.file(path, content)
    yield copy

    chown = _DemoLayer("RUN chown -R app:app /app")
    for path, content in sources.items():
        chown.file(path, content, owner=_APP)
    yield chown

    key = _DemoLayer("COPY id_rsa /root/.ssh/id_rsa")
    key.file("root/.ssh/id_rsa", b"(this would be a private key)\n" * 50, 0o600)
    yield key

    fetch = _DemoLayer("RUN git clone … && rm /root/.ssh/id_rsa")
    fetch.file("app/vendor/lib.tar", noise.randbytes(400_000), owner=_APP)
    fetch.delete("root/.ssh/id_rsa")
    yield fetch


def _clean_up(noise: random.Random) -> Iterator[_DemoLayer]:
    clean = _DemoLayer("RUN rm -rf /var/cache/apt && mkdir /var/cache/apt")
    clean.folder("var/cache/apt")
    clean.file("var/cache/apt/.wh..wh..opq", b"", mode=0)
    yield clean

    for number in (1, 2):
        model = _DemoLayer(f"COPY model-v{number} /srv/model.bin")
        model.file("srv/model.bin", noise.randbytes(4_000_000))
        yield model

    move = _DemoLayer("RUN cp /bin/busybox /bin/toolbox && rm /app/src/m00/*")
    move.file("bin/toolbox", noise.randbytes(900_000), 0o755)
    move.link("bin/tool", "bin/toolbox")
    for path in sorted(path for path in _sources() if "/m00/" in path):
        move.delete(path)
    yield move


def write_demo_image(target: Path) -> None:
    """Write the image as a docker-archive."""
    layers = list(_build())
    tars = [layer.tar() for layer in layers]
    created = "2026-01-01T00:00:00Z"
    history: list[dict[str, object]] = [
        {"created": created, "created_by": layer.made_by} for layer in layers
    ]
    start = {"created": created, "created_by": 'CMD ["sh"]', "empty_layer": True}
    history.insert(1, start)  # the base ends so
    history.append(start)
    config = format_json(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": created,
            "config": {"Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin"], "WorkingDir": "/app"},
            "rootfs": {"type": "layers", "diff_ids": [Digest.of(tar) for tar in tars]},
            "history": history,
        }
    )
    with AtomicFile(target) as out:
        archive = ArchiveWriter(out.file, str(target))
        names = []
        for number, tar in enumerate(tars, 1):
            names.append(f"layer-{number:03d}.tar")
            archive.add(names[-1], tar)
        name = f"{Digest.of(config).hex}.json"
        archive.add(name, config)
        entry = {"Config": name, "RepoTags": [NAME], "Layers": names}
        archive.add("manifest.json", format_json([entry]))
        archive.close()
        out.commit()
