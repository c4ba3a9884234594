"""Squashing every platform of an image: each by itself, and the index written anew."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Lamella
from tests.properties.reference import differences, flatten
from tests.support.platforms import Platforms, three_platforms
from tests.transport.forms import TARS, Layout, docker_archive_since_25, plain, state_of, to_file

REF_NAME = "org.opencontainers.image.ref.name"


@pytest.fixture(scope="module")
def made() -> Platforms:
    """The image; nobody changes it."""
    return three_platforms()


@pytest.fixture
def source(made: Platforms, work: Path) -> str:
    """It, in a folder."""
    return f"oci:{made.layout.write(work / 'source')}:app"


class Written:
    """A layout that was written, read without lamella."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries = json.loads((folder / "index.json").read_bytes())["manifests"]

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        """Return a blob; its size is as it should be."""
        raw: bytes = (self.folder / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
        assert len(raw) == descriptor["size"]
        return raw

    def json(self, descriptor: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Return a blob's value."""
        return json.loads(self.blob(descriptor))

    def tagged(self, name: str) -> dict[str, Any]:
        """Return the index of a tag."""
        found = [e for e in self.entries if e.get("annotations", {}).get(REF_NAME) == name]
        assert len(found) == 1
        assert found[0]["mediaType"].endswith("index.v1+json")
        value: dict[str, Any] = self.json(found[0])
        return value

    def images(self, index: dict[str, Any]) -> Iterator[tuple[str, list[bytes]]]:
        """Yield architectures and layers, nested indexes included."""
        for entry in index["manifests"]:
            if "index" in entry["mediaType"]:
                yield from self.images(self.json(entry))
            elif entry["platform"]["os"] == "linux":
                manifest = self.json(entry)
                tars = [plain(self.blob(layer)) for layer in manifest["layers"]]
                yield self.json(manifest["config"])["architecture"], tars


def check(made: Platforms, written: Written, index: dict[str, Any]) -> None:
    """The index is as it was but for what had to change."""
    amd64, inner, arm, arm_note, artifact = index["manifests"]
    assert index["annotations"] == {"whole": "kept"}
    assert inner["annotations"] == {"to inner": "kept"}
    nested = written.json(inner)
    assert nested["annotations"] == {"inner": "kept"}
    for entry, arch in ((amd64, "amd64"), (nested["manifests"][0], "arm64")):
        old = made.images[arch]
        assert entry["digest"] != old["digest"]
        assert (entry["platform"], entry["annotations"]) == (old["platform"], {"image": arch})
    assert arm == made.images["arm"]
    assert (arm_note, artifact) == (made.beside["arm"], made.beside["artifact"])
    for entry in (arm_note, artifact):
        assert b"content of" in written.blob(written.json(entry)["layers"][0])
    images = dict(written.images(index))
    for arch, before in made.tars.items():
        assert differences(flatten(images[arch]), flatten(before)) == []
    assert {arch: len(tars) for arch, tars in images.items()} == {"amd64": 2, "arm64": 3, "arm": 2}


def test_every_image_is_squashed_above_its_own_base(
    lamella: Lamella, made: Platforms, source: str, work: Path
) -> None:
    """LAYER is looked up for each; what describes a rewritten image goes, and that is said."""
    target = ["-o", f"oci:{work}/new:slim", "--platform", "all", "--verify"]
    ran = lamella("squash", source, "base", *target).worked()

    written = Written(work / "new")
    check(made, written, written.tagged("slim"))
    assert ran.text.strip() == written.entries[0]["digest"]
    assert "linux/amd64: its attestation describes the image as it was before" in ran.err
    assert "linux/amd64: its artifact describes the image as it was before" in ran.err
    assert "linux/arm/v7: its" not in ran.err
    assert "3 platforms, 7 layers" in ran.err


@pytest.mark.parametrize("form", ["oci-archive", "archive", "stream"])
def test_archives_and_streams(lamella: Lamella, work: Path, form: str) -> None:
    """An index in an archive is squashed into an archive; it loses nothing on the way."""
    made = three_platforms()
    del made.layout.entries[1:]
    path = to_file(work / "source.tar", made.layout.tar())
    source = {"oci-archive": f"oci-archive:{path}:app", "archive": path, "stream": "-"}[form]
    new = f"oci-archive:{work}/new.tar:slim"
    target = ["-o", new, "--platform", "all"]

    lamella("squash", source, "--last", "2", *target, stdin=Path(path).read_bytes()).worked()

    lamella("verify", path, new, "--platform", "all").worked()
    with tarfile.open(work / "new.tar") as archive:
        archive.extractall(work / "new", filter="data")
    written = Written(work / "new")
    counts = {arch: len(tars) for arch, tars in written.images(written.tagged("slim"))}
    assert counts == {"amd64": 3, "arm64": 5, "arm": 1}


def test_the_same_every_time(lamella: Lamella, source: str, work: Path) -> None:
    """Images are planned side by side, and yet the archives are equal to the byte."""
    for name in ("one", "two"):
        target = f"oci-archive:{work}/{name}.tar"
        lamella("squash", source, "#1", "-o", target, "--platform", "all").worked()
    assert (work / "one.tar").read_bytes() == (work / "two.tar").read_bytes()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (["#5"], ["no layer 5", "(linux/amd64)", "layers 1 to 4"]),
        (["--layers", "2-5"], ["--layers 2-5", "(linux/amd64)", "1 to 4"]),
        (["--last", "3"], ["--last 3", "(linux/arm/v7)", "1 to 2"]),
    ],
)
def test_what_does_not_fit_one_platform_is_done_for_none(
    lamella: Lamella, source: str, work: Path, choice: list[str], words: list[str]
) -> None:
    """The error says which platform, and nothing is written."""
    before = state_of(work)
    target = ["-o", f"oci:{work}/new", "--platform", "all"]
    lamella("squash", source, *choice, *target).failed(2, *words)
    assert state_of(work) == before


def test_dry_run_shows_each_platform(lamella: Lamella, source: str, work: Path) -> None:
    """And writes nothing; as JSON it is one document."""
    before = state_of(work)
    ran = lamella("squash", source, "base", "--platform", "all", "--dry-run").worked()
    assert [
        word for word in ("amd64", "arm64", "arm/v7") if f"(linux/{word})" not in ran.text
    ] == []
    found = json.loads(
        lamella("squash", source, "base", "--platform", "all", "--dry-run", "--json").worked().out
    )
    assert [one["platform"] for one in found["platforms"]] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    assert [one["squashed"] for one in found["platforms"]] == [True, True, False]
    assert len(found["left_out"]) == 2
    assert (
        found["layers"]["after"] == sum(one["layers"]["after"] for one in found["platforms"]) == 7
    )
    assert state_of(work) == before


def test_nothing_to_squash_anywhere(
    lamella: Lamella, source: str, made: Platforms, work: Path
) -> None:
    """The index is written as it is, attestations and all."""
    target = ["-o", f"oci:{work}/new:same", "--platform", "all", "--exit-code", "--layers", "1"]
    ran = lamella("squash", source, *target).worked(3)
    assert Written(work / "new").entries[0]["digest"] == made.layout.entries[0]["digest"]
    assert "left out" not in ran.err


def test_layout_whose_own_index_lists_the_platforms(lamella: Lamella, work: Path) -> None:
    """Some builders make no other index; the new one is a proper one, under its tag."""
    made = Layout()
    for arch in ("amd64", "arm64"):
        platform = {"os": "linux", "architecture": arch}
        made.add(made.manifest(TARS, config=platform), "app", platform=platform)
    source = f"oci:{made.write(work / 'source')}"
    lamella("squash", source, "-o", f"oci:{work}/new:app", "--platform", "all").worked()
    written = Written(work / "new")
    entries = written.tagged("app")["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64"]
    assert all("annotations" not in entry for entry in entries)
    lamella("verify", source, f"oci:{work}/new", "--platform", "all").worked()


def test_platform_that_is_not_in_the_layout(lamella: Lamella, work: Path) -> None:
    """What is listed and missing, as after a save of some platforms, is left out; that is said."""
    made = three_platforms()
    del made.layout.files[f"blobs/sha256/{made.images['amd64']['digest'][7:]}"]
    source = f"oci:{made.layout.write(work / 'source')}:app"
    target = ["-o", f"oci:{work}/new:app", "--platform", "all"]
    ran = lamella("squash", source, "#1", *target).worked()
    assert "linux/amd64: listed in the index, but missing; left out" in ran.err
    written = Written(work / "new")
    assert set(dict(written.images(written.tagged("app")))) == {"arm64", "arm"}


def test_windows_is_left_as_it_is(lamella: Lamella, work: Path) -> None:
    """Its layers can't be merged: alone that is an error, among others a remark."""
    made = Layout()
    entries = []
    for name in ("linux", "windows"):
        platform = {"os": name, "architecture": "amd64"}
        entries.append({**made.manifest(TARS, config=platform), "platform": platform})
    made.add(made.index(*entries), "app")
    source = f"oci:{made.write(work / 'source')}"
    target = ["-o", f"oci:{work}/new:app", "--platform"]
    lamella("squash", source, *target, "windows/amd64").failed(1, "Windows", "hives")
    ran = lamella("squash", source, *target, "all").worked()
    assert "windows/amd64: left as it is" in ran.err
    index = Written(work / "new").tagged("app")
    assert index["manifests"][1] == entries[1]
    assert index["manifests"][0]["digest"] != entries[0]["digest"]


def test_places_of_one_platform_say_so(lamella: Lamella, source: str, work: Path) -> None:
    """A docker-archive keeps one image; of an image for one platform that is all of it."""
    target = ["-o", f"docker-archive:{work}/new.tar", "--platform", "all"]
    lamella("squash", source, *target).failed(2, "one platform", "--platform OS/ARCH", "oci:DIR")
    assert not (work / "new.tar").exists()
    single = to_file(work / "single.tar", docker_archive_since_25())
    lamella("squash", single, *target).worked()


def test_who_says_no_platform_is_told_that_there_are_more(
    lamella: Lamella, source: str, work: Path
) -> None:
    """One of several is taken as ever, and not in silence."""
    ran = lamella("squash", source, "#1", "-o", f"oci:{work}/new").worked()
    assert "3 platforms; taking linux/amd64 only (--platform all takes all)" in ran.err
    target = ["-o", f"oci:{work}/other", "--platform", "linux/arm64"]
    assert "platforms" not in lamella("squash", source, "#1", *target).worked().err


def test_verify_platform_by_platform(lamella: Lamella, source: str, work: Path) -> None:
    """A difference in one platform is told with its name; so is a platform that is missing."""
    other = three_platforms()
    changed = other.layout.manifest(TARS, config={"architecture": "arm64"})
    platform = {"os": "linux", "architecture": "arm64"}
    amd64 = other.images["amd64"]
    other.layout.entries = []
    other.layout.add(other.layout.index(amd64, {**changed, "platform": platform}), "app")
    second = f"oci:{other.layout.write(work / 'other')}"
    lamella("verify", source, second).worked()
    lamella("verify", source, second, "--platform", "linux/amd64").worked()
    ran = lamella("verify", source, second, "--platform", "all").worked(4)
    assert "linux/arm64: /etc/new" in ran.text
    assert "linux/arm/v7: only in the first one\n" in ran.text
    assert "linux/amd64" not in ran.text
