"""``lamella delta``: an image as another one's layers, and one more."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

import lamella as package
from tests.cli.conftest import Lamella
from tests.properties.reading import read_tar
from tests.support.images import docker_archive, made_by
from tests.support.platforms import three_platforms
from tests.support.tars import Entry, entry, layer, whiteout
from tests.transport.forms import Layout

BASE = layer("etc/", entry("etc/conf", b"one"), "gone", "same", entry("big", b"x" * 100_000))
OLD = (BASE, layer(entry("etc/conf", b"two"), "only-old"))
NEW = (layer("first"), BASE, layer(entry("etc/conf", b"three"), whiteout("gone")))


@pytest.fixture
def images(work: Path) -> tuple[str, str]:
    """Two images that share no layer's place, with a history each."""
    steps = made_by("FROM scratch", "(ENV A=b)", "RUN old")
    (work / "old.tar").write_bytes(docker_archive(*OLD, tags=["app:1"], history=steps))
    made = Layout()
    config = {"created": "2024-05-06T07:08:09Z", "config": {"User": "app"}}
    made.add(made.manifest(NEW, config=config), "new").write(work / "new")
    return f"{work}/old.tar", f"oci:{work}/new"


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive", "oci"])
def test_result_is_the_new_image(
    lamella: Lamella, images: tuple[str, str], work: Path, kind: str
) -> None:
    """Old layers, then one; the new files and config; the old history, and one more step."""
    old, new = images
    ran = lamella("delta", old, new, "-o", f"{kind}:{work}/made:app:2", "--verify").worked()
    made = f"{kind}:{work}/made"
    lamella("verify", new, made).worked()
    with package.open_image(made) as image, package.open_image(old) as before:
        assert image.diff_ids[:-1] == before.diff_ids
        assert list(map(str, image.diff_ids)) == image.config.value["rootfs"]["diff_ids"]
        steps = image.config.history or ()
        assert [step["created_by"] for step in steps[:-1]] == ["FROM scratch", "ENV A=b", "RUN old"]
        assert steps[-1]["created_by"].startswith(f"lamella delta # {before.id.short} to ")
        said = {file.path for file in image.layers[-1].files()}
        assert said == {"first", "etc", "etc/conf", "gone", "only-old"}
        reference = str(image.id if image.manifest is None else image.manifest.digest)
    assert ran.text == f"{reference}\n"
    assert "delta     1 layer" in ran.err
    assert "5 entries, 2 of them deletions" in ran.err
    assert ran.err.endswith(" s  verified\n")


def test_same_files_need_no_layer(lamella: Lamella, images: tuple[str, str], work: Path) -> None:
    """Then the config alone is new."""
    old, new = images
    lamella("squash", new, "-o", f"oci:{work}/squashed").worked()
    ran = lamella("delta", f"oci:{work}/squashed", new, "-o", f"oci:{work}/made").worked()
    assert "delta     none: the files are the same" in ran.err
    lamella("verify", new, f"oci:{work}/made").worked()
    with package.open_image(f"oci:{work}/made") as image:
        assert len(image.layers) == 1
        assert image.manifest is not None
        about = image.manifest.value["annotations"]
    with package.open_image(f"oci:{work}/squashed") as before:
        assert before.manifest is not None
        assert about == {"org.opencontainers.image.base.digest": str(before.manifest.digest)}
    assert old


@pytest.mark.parametrize("back", [1, 2])
def test_back_to_what_was_below(lamella: Lamella, work: Path, back: int) -> None:
    """The new image may be but the lower layers of the old one."""
    for name, tars in (("old", OLD), ("new", OLD[:-back])):
        (work / name).write_bytes(docker_archive(*tars))
    made = f"docker-archive:{work}/made"
    lamella("delta", f"{work}/old", f"{work}/new", "-o", made, "--verify").worked()
    lamella("verify", f"{work}/new", made).worked()


def test_times_alone_can_stay(lamella: Lamella, work: Path) -> None:
    """It is told how many do; other differences can't be left out."""
    for name, time in (("old", 1), ("new", 2)):
        tar = layer(Entry(b"a", mtime=time), Entry(b"b", mtime=time, content=b"%d" % time))
        (work / name).write_bytes(docker_archive(tar))
    names, made = (f"{work}/old", f"{work}/new"), f"docker-archive:{work}/made"
    ran = lamella("delta", *names, "-o", made, "--ignore", "mtime", "--verify").worked()
    assert "ignored   2 differences in mtime" in ran.err
    with package.open_image(made) as image:
        assert [file.path for file in image.layers[-1].files()] == ["b"]
    lamella("verify", names[1], made, "--ignore", "mtime").worked()
    lamella("delta", *names, "--ignore", "mode").failed(2, "--ignore mode: expected mtime")


def test_dry_run_writes_nothing(lamella: Lamella, images: tuple[str, str], work: Path) -> None:
    """It tells the sizes, and as a document each deletion."""
    before = sorted(work.iterdir())
    text = lamella("delta", *images, "--dry-run").worked().text
    assert "delta     1 layer" in text
    assert text.endswith("nothing was written\n")
    document = json.loads(lamella("delta", *images, "--dry-run", "--json").worked().out)
    assert [one["path"] for one in document["whiteouts"]] == ["gone", "only-old"]
    assert document["layers"] == {"shared": 0, "after": 3}
    assert sorted(work.iterdir()) == before


def test_archive_lacks_the_old_layers(
    lamella: Lamella, images: tuple[str, str], work: Path
) -> None:
    """It has the new one, and the documents in the form of both stores."""
    archive = work / "update.tar"
    lamella("delta", *images, "-t", "app:2", "--archive", str(archive)).worked()
    assert archive.stat().st_size < 20_000
    with tarfile.open(archive) as tar:
        names = set(tar.getnames())
        [listed] = json.loads(_read(tar, "manifest.json"))
        [found] = json.loads(_read(tar, "index.json"))["manifests"]
        manifest = json.loads(_read(tar, "blobs/sha256/" + found["digest"][7:]))
        config = json.loads(_read(tar, listed["Config"]))
    assert listed["RepoTags"] == ["app:2"]
    assert found["annotations"]["io.containerd.image.name"] == "docker.io/library/app:2"
    assert [name in names for name in listed["Layers"]] == [False, False, True]
    assert listed["Layers"][0].startswith("missing-layers-of-app:1/")
    blobs = [f"blobs/sha256/{one['digest'][7:]}" for one in manifest["layers"]]
    assert [name in names for name in blobs] == [False, False, True]
    assert manifest["config"]["digest"][7:] == listed["Config"][-64:]
    assert len(config["rootfs"]["diff_ids"]) == 3
    # Whoever opens it elsewhere learns what is missing.
    lamella("layers", str(archive)).failed(1, "missing-layers-of-app:1")


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def test_outputs_that_make_no_sense(lamella: Lamella, images: tuple[str, str], work: Path) -> None:
    """They are refused before anything is read."""
    to_file = ["--archive", f"{work}/update.tar"]
    lamella("delta", *images).failed(2, "no destination")
    lamella("delta", *images, "-o", "x.tar", *to_file).failed(2, "--archive and -o are two places")
    lamella("delta", *images, *to_file, "--compression", "zstd").failed(1, "use gzip")
    lamella("delta", *images, "-o", "-", "--json").failed(2, "--json and the image")
    lamella("delta", "-", "-", *to_file).failed(2, "standard input")
    assert not (work / "update.tar").exists()


def test_archive_goes_through_a_pipe(lamella: Lamella, images: tuple[str, str], work: Path) -> None:
    """Standard output is the archive then."""
    lamella("delta", *images, "--archive", f"{work}/update.tar").worked()
    ran = lamella("delta", *images, "--archive", "-").worked()
    assert ran.out == (work / "update.tar").read_bytes()
    members, _ = read_tar(ran.out)
    assert members[0].name == b"oci-layout"


def test_every_platform_over_its_own_old_image(lamella: Lamella, work: Path) -> None:
    """The new index lists a delta for each, and nothing that is about another digest."""
    old, new = three_platforms(), three_platforms()
    entries = []
    for arch, tars in new.tars.items():
        platform = new.images[arch]["platform"]
        changed = new.layout.manifest([*tars[1:], layer(arch)], config=platform)
        entries.append({**changed, "platform": platform})
    new.layout.entries = []
    new.layout.add(new.layout.index(*entries, new.attestation("amd64")), "app")
    names = [f"oci:{work}/{name}" for name in ("old", "new", "made:d")]
    old.layout.write(work / "old")
    new.layout.write(work / "new")
    names[0] += ":app"
    options = ["-o", names[2], "--platform", "all", "--verify"]

    ran = lamella("delta", *names[:2], *options).worked()

    lamella("verify", names[1], names[2], "--platform", "all").worked()
    written = json.loads((work / "made" / "index.json").read_bytes())["manifests"][0]
    blobs = work / "made" / "blobs" / "sha256"
    index = json.loads((blobs / written["digest"][7:]).read_bytes())
    assert [one["platform"] for one in index["manifests"]] == [one["platform"] for one in entries]
    assert ran.text == f"{written['digest']}\n"
    assert "linux/arm64:\nkept" in ran.err
    assert "3 platforms, " in ran.err
    assert "no attestations" in ran.err
    for arch, tars in old.tars.items():
        with package.open_image(names[2], platform=_name(old.images[arch])) as image:
            assert len(image.layers) == len(tars) + 1
    document = json.loads(
        lamella("delta", *names[:2], "--platform", "all", "--dry-run", "--json").worked().out
    )
    assert len(document["platforms"]) == 3
    assert document["bytes"]["delta"] == sum(one["bytes"]["delta"] for one in document["platforms"])


def _name(descriptor: dict[str, Any]) -> str:
    platform = descriptor["platform"]
    return "/".join(platform[key] for key in ("os", "architecture", "variant") if key in platform)


def test_platform_that_the_old_image_has_not(lamella: Lamella, work: Path) -> None:
    """Nothing is written for any."""
    made = three_platforms()
    made.layout.write(work / "new")
    (work / "old.tar").write_bytes(docker_archive(*OLD))
    names = f"{work}/old.tar", f"oci:{work}/new:app"
    ran = lamella("delta", *names, "-o", f"oci:{work}/made", "--platform", "all")
    ran.failed(2, "has no image for linux/arm64")
    assert not (work / "made" / "index.json").exists()
    archive = ["--archive", f"{work}/update.tar", "--platform", "all"]
    lamella("delta", *names, *archive).failed(2, "takes an image of one platform")
