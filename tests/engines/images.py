"""Images made without a network, with the steps at which a squash can go wrong."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.engines.daemon import Engine
from tests.engines.namespace import wait_until
from tests.engines.rootfs import snapshots_command, top_chain_id
from tests.support.images import docker_archive
from tests.support.tars import layer

BUSYBOX = Path("/bin/busybox")
APPLETS = (
    *("sh", "ash", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "echo", "env", "expr"),
    *("false", "find", "grep", "head", "id", "ln", "ls", "mkdir", "mkfifo", "mknod", "mv"),
    *("printf", "pwd", "rm", "rmdir", "sed", "sleep", "sort", "stat", "sync", "tail", "tar"),
    *("test", "touch", "tr", "true", "uname", "wc", "xargs"),
)

BASE = "lamella-test/base:latest"

# With a fraction of a second that no binary float holds.
MTIME = "1400000000.123456789"

# security.capability, revision 2, effective: cap_net_bind_service (bit 10).
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)

LONG_NAME = "a-name-that-needs-more-room-than-a-ustar-header-has-" + "x" * 150

DOCKERFILE = r"""
FROM {base}
LABEL org.example.maker="lamella tests"
ENV STAGE=one GREETING="hello there"
RUN ln /srv/data/one /srv/data/one-linked \
 && echo pair > /srv/pair-1 && ln /srv/pair-1 /srv/pair-2 && ln /srv/pair-1 /srv/pair-3 \
 && echo both > /srv/both-1 && ln /srv/both-1 /srv/both-2
ADD capabilities.tar /opt/
RUN rm -rf /opt/recreated && mkdir -m 750 /opt/recreated && echo new > /opt/recreated/new
RUN chown -R 1000:1000 /opt/owned
RUN mkdir -p /opt/versions/1 && echo 1 > /opt/versions/1/file && ln -s versions/1 /opt/current
RUN dd if=/dev/zero of=/srv/temporary bs=1024 count=256 2> /dev/null && chmod 4755 /srv/data/two
RUN true
RUN rm -rf /opt/becomes-file && echo file > /opt/becomes-file \
 && rm /opt/becomes-dir && mkdir /opt/becomes-dir && echo inside > /opt/becomes-dir/inside
RUN rm /srv/temporary && rm -rf /srv/doomed && echo later > /opt/current/later
RUN rm /srv/pair-1 && echo changed > /srv/both-1
RUN touch "$(printf '/srv/data/caf\351')" && mkfifo /srv/pipe && mknod /srv/null c 1 3 \
 && touch -d @1234567890 /srv/data && rm /opt/shortcut && mkdir /opt/shortcut
ENV STAGE=two
EXPOSE 8080
VOLUME /var/volume
WORKDIR /srv/data
CMD ["/bin/sh", "-c", "cat one"]
"""


@dataclass
class Tar:
    """A tar file in the making; what is not said is root's, from `MTIME`, in PAX format."""

    _file: io.BytesIO = field(default_factory=io.BytesIO)

    def add(
        self,
        name: str,
        content: bytes = b"",
        *,
        type: bytes = tarfile.REGTYPE,  # noqa: A002 - as tarfile calls it
        mode: int = 0o644,
        owner: int = 0,
        target: str = "",
        xattrs: Mapping[str, bytes] | None = None,
    ) -> Tar:
        """Add one entry."""
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.size, entry.linkname = type, mode, len(content), target
        entry.uid = entry.gid = owner
        entry.mtime = int(float(MTIME))
        # PAX records are UTF-8 text to tarfile, and bytes to those that read them.
        xattr = {f"SCHILY.xattr.{key}": _as_text(value) for key, value in (xattrs or {}).items()}
        entry.pax_headers = {"mtime": MTIME, **xattr}
        header = entry.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
        self._file.write(header + content + bytes(-len(content) % 512))
        return self

    def folder(self, name: str, mode: int = 0o755, owner: int = 0) -> Tar:
        """Add a directory."""
        return self.add(name, type=tarfile.DIRTYPE, mode=mode, owner=owner)

    def bytes(self) -> bytes:
        """End the file and give it."""
        return self._file.getvalue() + bytes(1024)


def base_tar() -> bytes:
    """Make the root file system of the base image."""
    tar = Tar()
    for name in ("bin", "dev", "etc", "opt", "proc", "srv", "srv/data", "srv/doomed", "sys", "var"):
        tar.folder(name)
    tar.folder("root", 0o700).folder("tmp", 0o1777)
    tar.add("bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
    for applet in APPLETS:
        tar.add(f"bin/{applet}", type=tarfile.LNKTYPE, mode=0o755, target="bin/busybox")
    tar.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    tar.add("etc/group", b"root:x:0:\nuser:x:1000:\n")
    for name in ("one", "two", "three", LONG_NAME, "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"):
        tar.add(f"srv/data/{name}", name.encode() * 100)
    tar.add("srv/data/noted", b"noted", xattrs={"user.note": b"kept"})
    tar.add("srv/doomed/file", b"gone").folder("srv/doomed/deep").add(
        "srv/doomed/deep/file", b"gone"
    )
    tar.folder("opt/recreated").add("opt/recreated/old", b"old")
    tar.folder("opt/owned").folder("opt/owned/deep")
    tar.add("opt/owned/file", b"mine").add("opt/owned/deep/file", b"mine too")
    tar.folder("opt/becomes-file").add("opt/becomes-file/inside", b"gone")
    tar.add("opt/becomes-dir", b"a file")
    tar.add("opt/shortcut", type=tarfile.SYMTYPE, mode=0o777, target="../srv/data")
    return tar.bytes()


def capabilities_tar() -> bytes:
    """Make what a step adds: a program with a file capability."""
    xattrs = {"security.capability": CAPABILITY}
    tar = Tar().folder("capable")
    tar.add("capable/server", b"#!/bin/sh\nexec true\n", mode=0o755, xattrs=xattrs)
    return tar.bytes()


def build_base(engine: Engine, tag: str = BASE) -> str:
    """Make the base image, of one layer; its ID is the answer."""
    engine.docker("import", "-", tag, input=base_tar())
    return _image_id(engine, tag)


def build_app_image(engine: Engine, tag: str, base: str = BASE) -> str:
    """Build an image on top of `base`, which is made if it isn't there; its ID is the answer."""
    if not engine.docker("images", "--quiet", base).strip():
        build_base(engine, base)
    build(engine, tag, DOCKERFILE.format(base=base), {"capabilities.tar": capabilities_tar()})
    if engine.containerd_store:
        unpack_anew(engine, tag)
    return _image_id(engine, tag)


def load(engine: Engine, tag: str, *files: tuple[str, bytes]) -> str:
    """Load an image of which each layer has one file; its ID is the answer.

    That is how an image comes to an engine most quickly: a build starts a container for each step.
    """
    archive = docker_archive(*(layer(file) for file in files), tags=[tag])
    engine.docker("load", input=archive)
    return _image_id(engine, tag)


_made: set[Engine] = set()
_MADE = ("lamella-test/made-once:base", "lamella-test/made-once:app")


def app_image(engine: Engine) -> str:
    """Name an image as `build_app_image` makes it, built once in this engine; it is not changed."""
    base, app = _MADE
    if engine not in _made:
        build_base(engine, base)
        build_app_image(engine, app, base)
        _made.add(engine)
    return app


def name_app(engine: Engine, base: str, app: str) -> None:
    """Give `app_image` and its base further names."""
    app_image(engine)
    for made, name in zip(_MADE, (base, app), strict=True):
        engine.docker("tag", made, name)


@contextmanager
def named(engine: Engine, base: str, app: str) -> Iterator[None]:
    """Give `app_image` and its base further names, for as long as a test needs them."""
    name_app(engine, base, app)
    try:
        yield
    finally:
        engine.docker("rmi", base, app)  # the images stay: they have another name


def build(
    engine: Engine, tag: str, dockerfile: str, files: Mapping[str, bytes] | None = None
) -> str:
    """Build an image from a Dockerfile and the files of its context; its ID is the answer."""
    context = io.BytesIO()
    # A context that starts with a PAX header is not taken for a tar file by the docker command.
    with tarfile.open(fileobj=context, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in {"Dockerfile": dockerfile.encode(), **(files or {})}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    engine.docker("build", "--network=none", "--tag", tag, "-", input=context.getvalue())
    return _image_id(engine, tag)


def unpack_anew(engine: Engine, tag: str) -> None:
    """Make the containerd store forget the image, and load it again.

    After a build with the classic builder that store shows more than the image's layers say: empty
    files of the build containers (/.dockerenv, /etc/hosts, …), and fractions of seconds. From an
    image that was loaded or pulled, containers get what is in its layers.
    """
    top = top_chain_id(engine, tag)
    archive = engine.docker_bytes("save", tag)
    engine.docker("rmi", "--force", tag)

    def is_forgotten() -> bool:
        return top not in engine.inside("sh", "-c", f"{snapshots_command(engine)} ls")

    assert wait_until(is_forgotten, timeout=30), f"{engine.name}: {tag}: its snapshot stays"
    engine.docker("load", input=archive)


def _image_id(engine: Engine, tag: str) -> str:
    return str(engine.inspect(tag)["Id"])


def _as_text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
