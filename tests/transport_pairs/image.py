"""The one image that all pairs squash: small, with a config that has something in every field."""

from __future__ import annotations

import json
from typing import Any

from tests.engines.images import CAPABILITY
from tests.support.images import made_by
from tests.support.squashing import merge
from tests.support.tars import MTIME, entry, layer, link, symlink, whiteout
from tests.transport.forms import Layout, compress, docker_archive_with
from tests.transport.registry.images import OCI, digest_of

__all__ = ["ARGUMENTS", "CONFIG", "NAME", "SQUASHED", "TARS", "archive", "layout", "squashed"]

NAME = "pairs/app:1"

_XATTR = b"security.capability"
TARS = (
    layer("etc/", ("etc/name", b"base\n" * 200), ("etc/old", b"x" * 700), "srv/", ("srv/a", b"a")),
    layer(("etc/name", b"changed\n" * 150), whiteout("etc/old"), link("etc/again", "etc/name")),
    layer(
        *(("etc/new", b"n" * 900), symlink("etc/link", "new"), whiteout("srv/a")),
        entry("srv/app", b"#!", mode=0o755, mtime=MTIME + 123456789, xattrs={_XATTR: CAPABILITY}),
    ),
    layer(("srv/top", b"kept, though it is above\n")),
)
ARGUMENTS = ("--layers", "2-3")
"""The middle is squashed: layers stay below it and above."""
SQUASHED = (TARS[0], merge(*TARS[:3], above=1), TARS[3])
"""What the new image's layers have to be, wherever they come from and go to."""

_HISTORY = made_by("FROM scratch", "RUN change", "RUN add", "(ENV STAGE=two)", "COPY top /srv")
CONFIG: dict[str, Any] = {
    "created": "2024-05-06T07:08:09.123456789Z",
    "author": "J\N{LATIN SMALL LETTER O WITH DIAERESIS}rg <joerg@example.com>",
    "architecture": "amd64",
    "os": "linux",
    "docker_version": "20.10.24",
    "config": {
        "Hostname": "built-here",
        "Domainname": "example.com",
        "User": "1000:1000",
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Tty": True,
        "OpenStdin": False,
        "StdinOnce": False,
        "ExposedPorts": {"53/udp": {}, "8080/tcp": {}},
        "Env": ["PATH=/usr/bin:/bin", "EMPTY=", "GREETING=hello <there> & \N{SNOWMAN}"],
        "Entrypoint": ["/bin/app", "--serve"],
        "Cmd": ["--port", "8080"],
        "ArgsEscaped": True,
        "Healthcheck": {"Test": ["CMD", "/bin/app", "ping"], "Interval": 3000000000, "Retries": 2},
        "Image": "sha256:" + "ab" * 32,
        "Labels": {"org.example.maker": "lamella tests", "org.example.empty": ""},
        "OnBuild": ["RUN later"],
        "Shell": ["/bin/app", "-c"],
        "StopSignal": "SIGUSR1",
        "Volumes": {"/var/volume": {}},
        "WorkingDir": "/srv",
        "X-Unknown": {"kept": ["as", "it is", 1.50]},
    },
    "container_config": {"Cmd": ["/bin/sh", "-c", "#(nop) COPY top /srv"]},
    "x-unknown": [{"of": "no standard"}],
    "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in TARS]},
    "history": _HISTORY,
}


_RAW = json.dumps(CONFIG, indent=1).encode()


def archive() -> bytes:
    """Return the image as engines load it."""
    names = [f"{number:064x}/layer.tar" for number in range(len(TARS))]
    files: dict[str, bytes | str] = {"config.json": _RAW, **dict(zip(names, TARS, strict=True))}
    return docker_archive_with(
        files, [{"Config": "config.json", "RepoTags": [NAME], "Layers": names}]
    )


def layout(compression: str) -> Layout:
    """Return the image as an OCI layout, tagged `app`."""
    made = Layout()
    layers = [
        made.blob(compress(compression, tar), f"{OCI['layer'].rpartition('+')[0]}+{compression}")
        for tar in TARS
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI["manifest"],
        "config": made.blob(_RAW, OCI["config"]),
        "layers": layers,
    }
    return made.add(made.blob(json.dumps(manifest).encode(), OCI["manifest"]), "app")


def squashed(message: str) -> dict[str, Any]:
    """Return what the new image's config has to be."""
    merged = {
        "created": _HISTORY[2]["created"],
        "created_by": "lamella squash # 2 layers",
        "comment": message,
    }
    return {
        **CONFIG,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in SQUASHED]},
        "history": [_HISTORY[0], merged, *_HISTORY[3:]],
    }
