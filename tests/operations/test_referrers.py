"""What is attached to an image goes on to the new one, or stays, and is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import lamella
from lamella.errors import ImageError, LamellaError, UsageError
from lamella.transport.registry import Backoff
from tests.odd.answers import Answer, Asked, Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.attached import BUNDLE, INDEX, SBOM, in_layout, in_registry
from tests.support.platforms import three_platforms
from tests.support.progress import Recorder
from tests.transport.forms import Layout, layout_of

CYCLONE = "application/vnd.cyclonedx+json"


@pytest.fixture(params=[True, False], ids=["lists", "lists by tag"])
def registry(request: pytest.FixtureRequest) -> Iterator[MemoryRegistry]:
    """One of OCI 1.1, and one from before."""
    with registry_in_memory(Oddly(0)) as registry:
        registry.lists_referrers = request.param
        yield registry


def pushed(registry: MemoryRegistry, tmp_path: Path) -> str:
    """Push an image, to which much is attached."""
    layout_of().write(tmp_path / "app")
    app = f"docker://{registry.host}/app:1"
    lamella.squash(f"oci:{tmp_path}/app", last=1, output=app)
    attaching = in_registry(registry, "app", "1")
    attaching.add(SBOM, "application/octet-stream")
    attaching.add("", CYCLONE)
    attaching.add("application/vnd.dev.cosign.artifact.sbom.v1+json", "text/spdx")
    attaching.add("application/vnd.in-toto+json", "application/vnd.in-toto+json")
    attaching.add("application/vnd.example.notes", "text/plain")
    attaching.add("", BUNDLE)
    attaching.add_by_tag(".sbom", "text/spdx+json")
    attaching.add_by_tag(".sig", "application/vnd.dev.cosign.simplesigning.v1+json")
    attaching.add_by_tag(".att", "application/vnd.dsse.envelope.v1+json")
    if not registry.lists_referrers:
        attaching.list_by_tag()
    return app


def attached_to(registry: MemoryRegistry, repository: str, digest: str) -> list[dict[str, Any]]:
    """Return the manifests whose subject is an image; they are found as others find them."""
    found = [
        (own, raw)
        for (name, own), (_, raw) in registry.manifests.items()
        if name == repository and own.startswith("sha256:") and digest in str(_subject(raw))
    ]
    if not registry.lists_referrers and found:
        kind, raw = registry.manifests[repository, digest.replace(":", "-")]
        assert kind == INDEX
        assert {entry["digest"] for entry in json.loads(raw)["manifests"]} == {o for o, _ in found}
    return [json.loads(raw) for _, raw in found]


def _subject(raw: bytes) -> object:
    return json.loads(raw).get("subject")


def test_sboms_go_on_and_nothing_else_does(registry: MemoryRegistry, tmp_path: Path) -> None:
    """As they are, about the new digest; to the same repository or another one."""
    app = pushed(registry, tmp_path)
    for target in ("app", "other"):
        recorder = Recorder()
        env = lamella.Environment(progress=recorder)
        result = lamella.squash(
            *(app, "1"),
            output=f"docker://{registry.host}/{target}:slim",
            check=True,
            referrers="copy",
            env=env,
        )
        new = attached_to(registry, target, result.digest)
        kind, raw = registry.manifests[target, "slim"]
        for manifest in new:
            assert manifest["subject"] == {
                "mediaType": kind,
                "digest": result.digest,
                "size": len(raw),
            }
            assert manifest["annotations"] == {"made.by": "a scanner"}
        types = [(m.get("artifactType"), m["layers"][0]["mediaType"]) for m in new]
        assert sorted(types, key=str) == [(SBOM, "application/octet-stream"), (None, CYCLONE)]
        tag = result.digest.replace(":", "-")
        assert (target, f"{tag}.sbom") in registry.manifests
        assert not any((target, tag + end) in registry.manifests for end in (".sig", ".att"))
        outcomes = {(one.artifact_type, one.state): one.reason for one in result.referrers}
        assert len(result.referrers) == 9
        assert outcomes[SBOM, "copied"] == outcomes["text/spdx+json", "copied"] == ""
        assert "as it was" in outcomes["application/vnd.in-toto+json", "left"]
        assert "no SBOM" in outcomes["application/vnd.example.notes", "left"]
        assert any("to the new one, too" in note for note in recorder.notes)
        assert any("as it was" in note for note in recorder.notes)


def test_by_default_one_line_tells_what_stays(registry: MemoryRegistry, tmp_path: Path) -> None:
    """A dry run tells the same; without the option nobody looks."""
    app = pushed(registry, tmp_path)
    for dry_run in (True, False):
        recorder = Recorder()
        env = lamella.Environment(progress=recorder)
        result = lamella.squash(app, "1", "app:slim", referrers="drop", dry_run=dry_run, env=env)
        assert {one.state for one in result.referrers} == {"left"}
        [note] = [note for note in recorder.notes if "attached" in note]
        assert SBOM in note
        assert note.endswith("not attached to the new one; `referrers` copy attaches SBOMs")
    assert not attached_to(registry, "app", result.digest)
    assert lamella.squash(app, "1", "app:slim").referrers == ()


def test_dry_run_tells_what_would_be_copied(registry: MemoryRegistry, tmp_path: Path) -> None:
    """And copies nothing."""
    app = pushed(registry, tmp_path)
    before = dict(registry.manifests)
    result = lamella.squash(app, "1", "app:slim", check=True, referrers="copy", dry_run=True)
    states = [one.state for one in result.referrers]
    assert (states.count("copied"), states.count("left")) == (3, 6)
    assert registry.manifests == before


def test_an_sbom_is_not_attached_to_an_image_with_fewer_files(
    registry: MemoryRegistry, tmp_path: Path
) -> None:
    """It would list what is not there."""
    app = pushed(registry, tmp_path)
    result = lamella.squash(app, tag="app:slim", exclude="etc/new", check=True, referrers="copy")
    reasons = {one.reason for one in result.referrers if one.artifact_type == SBOM}
    assert reasons == {"paths are left out of the new image, so it may list too much"}
    assert not attached_to(registry, "app", result.digest)


def test_nothing_is_attached_where_the_proof_fails(
    registry: MemoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor anything else published."""
    app = pushed(registry, tmp_path)
    before = dict(registry.manifests)

    def fail(*_: object) -> None:
        message = "`check`: 1 differences, nothing was published"
        raise ImageError(message)

    monkeypatch.setattr("lamella.operations.prove.prove", fail)
    with pytest.raises(ImageError, match="nothing was published"):
        lamella.squash(app, "1", "app:slim", check=True, referrers="copy")
    assert registry.manifests == before


def test_a_second_run_attaches_nothing_twice(registry: MemoryRegistry, tmp_path: Path) -> None:
    """The same manifests come of it."""
    app = pushed(registry, tmp_path)
    for _ in range(2):
        result = lamella.squash(app, "1", "app:slim", check=True, referrers="copy")
        assert len(attached_to(registry, "app", result.digest)) == 2


def test_what_is_listed_but_missing_is_told(tmp_path: Path) -> None:
    """Somebody removed it; the rest goes on."""
    with registry_in_memory(Oddly(0)) as registry:
        app = pushed(registry, tmp_path)
        listed = json.loads(registry.manifests["app", _list_of(registry)][1])["manifests"]
        [gone] = [entry for entry in listed if entry["artifactType"] == SBOM]
        del registry.manifests["app", gone["digest"]]
        result = lamella.squash(app, "1", "app:slim", check=True, referrers="copy")
        [missing] = [one for one in result.referrers if "missing" in one.reason]
        assert missing.artifact_type == SBOM
        assert len(attached_to(registry, "app", result.digest)) == 1


def _list_of(registry: MemoryRegistry) -> str:
    return next(tag for _, tag in registry.manifests if re.fullmatch("sha256-[0-9a-f]{64}", tag))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "`referrers` copy goes with `check`"),
        ({"check": True, "output": "docker-archive:new.tar"}, "nothing can be attached"),
        ({"check": True, "output": "docker-daemon:app:slim"}, "nothing can be attached"),
    ],
)
def test_what_makes_no_sense_is_told_before_any_work(options: dict[str, Any], said: str) -> None:
    """With the way out."""
    with pytest.raises(UsageError, match=said):
        lamella.squash("docker://127.0.0.1:1/app", "1", "slim", referrers="copy", **options)


@pytest.mark.parametrize("archive", [False, True])
def test_in_layouts(tmp_path: Path, archive: bool) -> None:
    """Entries of index.json; a list with the tag of registries is read, too."""
    made = Layout()
    image = made.manifest()
    made.add(image, "app")
    attaching = in_layout(made, image)
    attaching.add(SBOM, "application/octet-stream")
    attaching.add("application/vnd.in-toto+json", "application/vnd.in-toto+json")
    attaching.add_by_tag(".sbom", "text/spdx+json")
    apart = in_layout(made, image, only_listed=True)
    apart.add(CYCLONE, CYCLONE)
    apart.list_by_tag()
    made.write(tmp_path / "app")
    place = f"oci-archive:{tmp_path}/new" if archive else f"oci:{tmp_path}/new"
    result = lamella.squash(
        f"oci:{tmp_path}/app:app", "1", "slim", output=place, check=True, referrers="copy"
    )
    assert [one.state for one in result.referrers].count("copied") == 3
    # The image is still the only one, and what is attached is found again.
    again = lamella.squash(place, last=1, output=f"oci:{tmp_path}/b", referrers="drop")
    assert again.source_digest == result.digest
    types = sorted(one.artifact_type for one in again.referrers)
    assert types == [SBOM, CYCLONE, "text/spdx+json"]
    if not archive:
        index = json.loads((tmp_path / "new/index.json").read_bytes())
        entries = {entry.get("artifactType"): entry for entry in index["manifests"]}
        manifest = json.loads(
            (tmp_path / "new/blobs/sha256" / entries[SBOM]["digest"][7:]).read_bytes()
        )
        assert manifest["subject"]["digest"] == result.digest
        assert entries[SBOM]["annotations"] == {"made.by": "a scanner"}


def test_of_every_platform(tmp_path: Path) -> None:
    """What is attached to the index goes on to the new index, and so on for each image."""
    platforms = three_platforms()
    made = platforms.layout
    in_layout(made, platforms.images["amd64"]).add(SBOM, SBOM)
    in_layout(made, made.entries[0]).add(CYCLONE, CYCLONE)
    made.write(tmp_path / "app")
    with registry_in_memory(Oddly(0)) as registry:
        registry.lists_referrers = True
        result = lamella.squash(
            f"oci:{tmp_path}/app:app",
            "1",
            output=f"docker://{registry.host}/app:slim",
            platform="all",
            check=True,
            referrers="copy",
        )
        [of_index] = attached_to(registry, "app", result.digest)
        assert of_index["artifactType"] == CYCLONE
        [of_image] = attached_to(registry, "app", result.platforms[0].digest)
        assert of_image["artifactType"] == SBOM
    assert [[one.artifact_type for one in found.referrers] for found in result.platforms] == [
        *([SBOM], [], [])
    ]


class _OddAboutReferrers(Oddly):
    """Answers oddly what is asked about things that are attached."""

    def say(self, asked: Asked, answer: Answer) -> bytes:
        self.chance = 0.5 if re.search("/referrers/|/sha256-", asked.path) else 0.0
        return super().say(asked, answer)


@pytest.mark.parametrize("seed", range(2))
def test_odd_answers_are_errors_of_ours(tmp_path: Path, seed: int) -> None:
    """Where nothing is to be copied they stop nothing."""
    oddly = _OddAboutReferrers(seed)
    with registry_in_memory(oddly) as registry:
        registry.lists_referrers = bool(seed % 2)
        app = pushed(registry, tmp_path)
        backoff = Backoff(first=0.001, tries=2)
        env = lamella.Environment(registry=lamella.RegistryOptions(backoff=backoff))
        for _ in range(8):
            with suppress(LamellaError):
                lamella.squash(app, "1", "app:slim", check=True, referrers="copy", env=env)
            assert lamella.squash(app, "1", "app:slim", referrers="drop", env=env).squashed
    assert len(oddly.told) > 10
