"""The kinds of places that a new image goes to, and how others read it there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.engines.tools import Tool
from tests.transport.registry.server import Server
from tests.transport_pairs.reading import Found, read_archive, read_folder
from tests.transport_pairs.sources import ENGINES, Client, Get, client_of

__all__ = ["DESTINATIONS", "Destination", "Tools", "destination_of"]

_ARCHIVE, _OCI_ARCHIVE = "`docker-archive:`, `-`", "`oci-archive:`, `oci-archive:-`"
DESTINATIONS = {
    "docker-20": "Docker 20.10",
    "docker-25": "Docker 25 and later",
    "containerd": "containerd store",
    "podman": "Podman, root's",
    "rootless": "Podman, a user's",
    "docker-archive": _ARCHIVE,
    "stdout": _ARCHIVE,
    "oci": "`oci:`",
    "oci-archive": _OCI_ARCHIVE,
    "stdout-oci": _OCI_ARCHIVE,
    "registry": "`docker://`",
}
"""Each kind, and its column in the documentation; a stream has that of the file."""


@dataclass(frozen=True)
class Tools:
    """Those that read what was written."""

    skopeo: Tool
    crane: Tool
    umoci: Tool
    registry: Server


class Destination(Protocol):
    """Where one image goes."""

    @property
    def output(self) -> str:
        """What `-o` is given."""

    def take(self, stream: bytes) -> None:
        """Take what came to standard output, if it was to go there."""

    def read(self, tools: Tools) -> tuple[Found, str]:
        """Let others read it; return what is there, and a reference by which lamella finds it.

        Raises:
            CommandError: one of them can't.
        """


@dataclass(frozen=True)
class _Engine:
    client: Client
    name: str
    folder: Path
    keeps_manifest: bool

    @property
    def output(self) -> str:
        return f"{self.client.transport}:{self.name}"

    def take(self, stream: bytes) -> None:
        self.client("load", stdin=stream)

    def read(self, tools: Tools) -> tuple[Found, str]:
        path = self.folder / "saved.tar"
        path.write_bytes(self.client("save", self.name))
        return read_archive(path, has_manifest=self.keeps_manifest), f"docker-archive:{path}"


@dataclass(frozen=True)
class _DockerArchive:
    path: Path
    output: str

    def take(self, stream: bytes) -> None:
        self.path.write_bytes(stream)

    def read(self, tools: Tools) -> tuple[Found, str]:
        tools.crane("validate", "--tarball", self.path)
        tools.skopeo("copy", f"docker-archive:{self.path}", f"dir:{self.path.parent}/copy")
        return read_archive(self.path), f"docker-archive:{self.path}"


@dataclass(frozen=True)
class _OciArchive:
    path: Path
    output: str

    def take(self, stream: bytes) -> None:
        self.path.write_bytes(stream)

    def read(self, tools: Tools) -> tuple[Found, str]:
        copy = self.path.parent / "copy"
        tools.skopeo("copy", f"oci-archive:{self.path}:new", f"dir:{copy}")
        return read_folder(copy), f"oci-archive:{self.path}"


@dataclass(frozen=True)
class _Layout:
    folder: Path
    name: str

    @property
    def output(self) -> str:
        return f"oci:{self.folder}/new:new"

    def take(self, stream: bytes) -> None:
        raise NotImplementedError

    def read(self, tools: Tools) -> tuple[Found, str]:
        tools.skopeo("copy", self.output, f"dir:{self.folder}/copy")
        found = read_folder(self.folder / "copy")
        if "zstd" not in found.compressions:  # umoci unpacks that since 0.5
            rootfs = self.folder / "rootfs"
            tools.umoci("raw", "unpack", "--rootless", "--image", f"{self.folder}/new:new", rootfs)
        by_crane = f"{tools.registry.host}/by-crane/{self.name}"
        tools.crane("push", self.folder / "new", by_crane)
        _validate(tools.crane, by_crane, found)
        return found, self.output


@dataclass(frozen=True)
class _Registry:
    host: str
    name: str
    folder: Path

    @property
    def output(self) -> str:
        return f"docker://{self.host}/{self.name}"

    def take(self, stream: bytes) -> None:
        raise NotImplementedError

    def read(self, tools: Tools) -> tuple[Found, str]:
        tools.skopeo("copy", "--src-tls-verify=false", self.output, f"dir:{self.folder}/copy")
        found = read_folder(self.folder / "copy")
        _validate(tools.crane, f"{self.host}/{self.name}", found)
        return found, self.output


def _validate(crane: Tool, name: str, found: Found) -> None:
    """Let crane look at an image in a registry: manifest, config and every layer."""
    assert json.loads(crane("config", name)) == found.config
    if set(found.compressions) == {"gzip"}:
        crane("validate", "--remote", name)
    else:  # it takes every layer for gzip
        crane("validate", "--fast", "--remote", name)
        crane("export", name, "/dev/null")


def destination_of(kind: str, get: Get, folder: Path, name: str) -> Destination:
    """Return a place of this kind.

    Args:
        kind: of `DESTINATIONS`.
        get: returns a fixture, or ends the test.
        folder: for files.
        name: of the new image, where images have names.
    """
    if kind in ENGINES:
        return _Engine(client_of(kind, get), name, folder, keeps_manifest=kind == "containerd")
    archive, oci_archive = folder / "new.tar", folder / "new.oci"
    server = get("plain")
    assert isinstance(server, Server)
    places: dict[str, Destination] = {
        "docker-archive": _DockerArchive(archive, f"docker-archive:{archive}:{name}"),
        "stdout": _DockerArchive(archive, "-"),
        "oci": _Layout(folder, name),
        "oci-archive": _OciArchive(oci_archive, f"oci-archive:{oci_archive}:new"),
        "stdout-oci": _OciArchive(oci_archive, "oci-archive:-:new"),
        "registry": _Registry(server.host, name, folder),
    }
    return places[kind]
