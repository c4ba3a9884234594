"""Builds a container image of lamella: `make image`.

Each Debian package is a layer of its own, as it is; then come the Python packages of the lock file,
lamella itself, and a layer that takes away what a container has no use for. lamella squashes all of
them into one. The same packages, lock file and sources make the same digest.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import lamella
from container.tars import Entries, certificates, documentation, make_tar

ROOT = Path(__file__).resolve().parent.parent
RELEASE = "bookworm"
PYTHON = "python3.11"
SITE = f"usr/local/lib/{PYTHON}/dist-packages"
USER = 65532

# Python, and the libraries that its modules are linked with: no shell, no package manager.
PACKAGES = (
    *("base-files", "ca-certificates", "gcc-12-base"),  # the last has libgcc's licence
    *("libbz2-1.0", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1", "liblzma5"),
    *("libssl3", "libuuid1", "zlib1g"),
    *(f"{PYTHON}-minimal", f"lib{PYTHON}-minimal", f"lib{PYTHON}-stdlib"),
)
CERTIFICATES = "ca-certificates"

# What of it nobody needs here; folders with all that is in them.
UNNEEDED = (
    *("usr/share/bug", "usr/share/doc-base", "usr/share/lintian"),
    *("usr/share/locale", "usr/share/man", "usr/share/info", "usr/share/ca-certificates"),
    *("usr/share/applications", "usr/share/pixmaps", "usr/share/binfmts", "etc/update-motd.d"),
    *("usr/lib/{triplet}/gconv", "usr/lib/{triplet}/audit", "usr/lib/{triplet}/perl5"),
    f"etc/{PYTHON}/sitecustomize.py",
    *(
        f"usr/lib/{PYTHON}/{name}"
        for name in ("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter")
    ),
    *(f"usr/lib/{PYTHON}/{name}" for name in ("turtle.py", "turtledemo", "sitecustomize.py")),
)

USERS = f"""\
root:x:0:0:root:/root:/nonexistent
lamella:x:{USER}:{USER}:lamella:/home/lamella:/nonexistent
"""
GROUPS = f"""\
root:x:0:
lamella:x:{USER}:
"""
# -sP: what is in the home or the working folder of whoever runs it is not imported.
START = f"""\
#!/usr/bin/{PYTHON} -sP
import sys

from lamella.cli.main import main

sys.exit(main())
"""


@dataclass(frozen=True)
class Step:
    """A layer in the making."""

    made_by: str
    tar: bytes


def main() -> int:
    """Build the image, as both kinds of archive."""
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("folder", nargs="?", default="dist", help="where the archives go")
    folder = Path(parser.parse_args().folder)
    _check_release()
    folder.mkdir(parents=True, exist_ok=True)
    for_docker, oci = folder / "lamella-image.tar", folder / "lamella-image.oci.tar"
    with tempfile.TemporaryDirectory(prefix="lamella-image-") as name:
        work = Path(name)
        steps = [*_debian(work), *_python(work)]
        _write_layout(work / "image", [*steps, _trimmed(steps)])
        _squash(f"oci:{work / 'image'}", f"oci-archive:{oci}")
    # Most Docker engines load no OCI archives. This one is a copy: there is one layer.
    _squash(f"oci-archive:{oci}", f"docker-archive:{for_docker}")
    return 0


def _squash(source: str, output: str) -> None:
    result = lamella.squash(
        source,
        tag=f"lamella:{lamella.__version__}",
        output=output,
        compression="gzip:9",
        history="keep",  # it names each package and its version
        check=True,
    )
    size = Path(output.partition(":")[2]).stat().st_size
    print(f"{output}: {result.id}, {size / 1e6:.1f} MB")


def _check_release() -> None:
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    if f"VERSION_CODENAME={RELEASE}\n" not in release:
        sys.exit(f"container/build.py: expected a machine with Debian 12 ({RELEASE}) and its apt")


def _epoch() -> int:
    """Return the time of the image: SOURCE_DATE_EPOCH, else that of the last commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    git = ("git", "log", "-1", "--format=%ct")
    done = subprocess.run(git, cwd=ROOT, check=False, capture_output=True)
    if done.returncode:
        sys.exit("container/build.py: no commit to take the time from; set SOURCE_DATE_EPOCH")
    return int(done.stdout)


def _run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> bytes:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, check=False, stdout=subprocess.PIPE
    )
    if done.returncode:
        sys.exit(f"container/build.py: failed: {shlex.join(map(str, command))}")
    return done.stdout


# --- Debian's packages ----------------------------------------------------------------------------


def _debian(work: Path) -> list[Step]:
    """Fetch the packages, checked by apt; return what each would unpack."""
    folder = work / "debian"
    folder.mkdir()
    _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES, cwd=folder)
    steps = []
    for path in sorted(folder.glob("*.deb")):
        package, version = path.name.split("_")[:2]
        tar = _run("dpkg-deb", "--fsys-tarfile", path)
        steps.append(Step(f"package {package} {version.replace('%3a', ':')}", tar))
        if package == CERTIFICATES:
            files = {"etc/ssl/certs/ca-certificates.crt": certificates(tar)}
            entries = Entries(_epoch()).files(files)
            entries.symlink("usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt")
            steps.append(Step("certificates in one file", make_tar(entries)))
    return steps


def _trimmed(steps: list[Step]) -> Step:
    """Return a layer that deletes what is not needed; licences stay."""
    entries = Entries(_epoch())
    for path in UNNEEDED:
        entries.delete(path.format(triplet=_triplet()))
    for path in (path for step in steps for path in documentation(step.tar)):
        entries.delete(path)
    entries.files({"etc/passwd": USERS.encode(), "etc/group": GROUPS.encode()})
    return Step("remove what is not needed", make_tar(entries))


def _triplet() -> str:
    return {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[_architecture()]


def _architecture() -> str:
    return _run("dpkg", "--print-architecture").decode().strip()


# --- Python's packages ----------------------------------------------------------------------------


def _find_pip() -> list[str]:
    """Return the command of a pip that serves this Python; its environment may have none."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    host = Path(sys.base_prefix, "bin/python3")
    return [str(host), "-m", "pip", "--disable-pip-version-check", "--python", sys.executable]


def _python(work: Path) -> list[Step]:
    """Install the locked packages and lamella, each into a folder; return what is in them."""
    machine = _triplet().split("-", maxsplit=1)[0]
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in range(36, 16, -1)]
    platforms.append(f"--platform=manylinux2014_{machine}")
    pip = _find_pip()
    quiet = [*pip, "install", "--quiet", "--no-compile", "--no-deps"]
    target = [
        "--python-version=3.11",
        "--implementation=cp",
        "--abi=cp311",
        "--abi=abi3",
        "--abi=none",
    ]
    locked, own, wheels = work / "locked", work / "own", work / "wheels"
    _run(
        *(*quiet, "--require-hashes", "--only-binary=:all:", *platforms, *target),
        *("--target", locked, "-r", "requirements.txt"),
    )
    wheel = [*pip, "wheel", "--quiet", "--no-deps", "--no-index"]
    _run(*wheel, "--no-build-isolation", "-w", wheels, ROOT, SOURCE_DATE_EPOCH=str(_epoch()))
    (built,) = wheels.glob("*.whl")
    _run(*quiet, "--no-index", "--target", own, built)
    programs = Entries(_epoch())
    programs.files({"usr/local/bin/lamella": START.encode()}, mode=0o755)
    programs.folder("tmp", mode=0o1777)
    programs.folder("work", mode=0o755, owner=USER)
    programs.folder("home/lamella", mode=0o755, owner=USER)
    return [
        Step("packages of requirements.txt", make_tar(Entries(_epoch()).tree(locked, SITE))),
        Step(f"lamella {lamella.__version__}", make_tar(programs.tree(own, SITE))),
    ]


# --- The image ------------------------------------------------------------------------------------


def _write_layout(folder: Path, steps: list[Step]) -> None:
    """Write the image, not squashed yet, as an OCI image layout."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        kind = f"application/vnd.oci.image.{media_type}"
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    layers = [put(step.tar, "layer.v1.tar") for step in steps]
    config = _config(steps, [layer["digest"] for layer in layers])
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(json.dumps(config).encode(), "config.v1+json"),
        "layers": layers,
    }
    index = {
        "schemaVersion": 2,
        "manifests": [put(json.dumps(manifest).encode(), "manifest.v1+json")],
    }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")


def _config(steps: list[Step], diff_ids: list[object]) -> dict[str, object]:
    created = datetime.fromtimestamp(_epoch(), UTC).isoformat().replace("+00:00", "Z")
    return {
        "architecture": _architecture(),
        "os": "linux",
        "created": created,
        "config": {
            "User": f"{USER}:{USER}",
            "Env": ["PATH=/usr/local/bin:/usr/bin"],
            "Entrypoint": ["lamella"],
            "Cmd": ["--help"],
            "WorkingDir": "/work",
            "Labels": {
                "org.opencontainers.image.title": "lamella",
                "org.opencontainers.image.version": lamella.__version__,
                "org.opencontainers.image.licenses": "MIT",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": created, "created_by": step.made_by} for step in steps],
    }


if __name__ == "__main__":
    sys.exit(main())
