"""The base of an image is found, kept, and told of in the new manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import lamella
from lamella.errors import Ambiguous, UnknownLayer
from lamella.spec.digest import Digest
from tests.support.images import docker_archive, made_by
from tests.support.progress import Recorder
from tests.support.tars import layer, whiteout
from tests.transport.forms import Layout, several_images, to_file

NAME, DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
TARS = (
    layer(("bin/sh", b"s" * 4000)),
    layer(("lib/py", b"p" * 3000)),
    layer(("app/a", b"a" * 2000)),
    layer(whiteout("app/a"), ("app/b", b"b")),
)
BASE, PYTHON = TARS[:1], TARS[:2]
_STATEMENT = "application/vnd.in-toto+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CMD = {"created_by": '/bin/sh -c #(nop)  CMD ["sh"]', "empty_layer": True}

Squash = Callable[..., lamella.Result]


@pytest.fixture
def told() -> Recorder:
    """What is told of."""
    return Recorder()


@pytest.fixture
def squash(tmp_path: Path, told: Recorder) -> Squash:
    """Squash above a base into a layout."""

    def call(image: str, base: str | None = "auto", **options: Any) -> lamella.Result:  # noqa: ANN401 - of the call
        env = lamella.Environment(progress=told)
        return lamella.squash(
            image, base, **{"output": f"oci:{tmp_path}/new:new", "env": env, **options}
        )

    return call


def written(tmp_path: Path) -> Mapping[str, str]:
    """Return the annotations of the new manifest."""
    with lamella.open_image(f"oci:{tmp_path}/new:new") as image:
        assert image.manifest is not None
        return image.manifest.value.get("annotations") or {}


def layout_with_bases(
    tmp_path: Path, annotations: object = None, config: Mapping[str, object] | None = None
) -> str:
    """Return a layout with the image and both of its bases."""
    made = Layout()
    made.add(made.manifest(BASE), "base").add(made.manifest(PYTHON), "python")
    made.add(made.manifest(TARS, config=config, annotations=annotations), "app")
    return f"oci:{made.write(tmp_path / 'layout')}:app"


def digest_of(tars: Sequence[bytes]) -> str:
    """Return the digest of the manifest that a layout has of them."""
    return str(Layout().manifest(tars)["digest"])


# -- what the image says


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        ({DIGEST: digest_of(BASE)}, (1, "annotation")),
        ({DIGEST: digest_of(BASE), NAME: "127.0.0.1:1/base:1"}, (1, "annotation")),
        # the tag stands for another image now, the digest does not
        ({DIGEST: digest_of(BASE), NAME: "python"}, (1, "annotation")),
        ({NAME: "base"}, (1, "annotation")),
        # it is not there, so the name counts
        ({DIGEST: f"sha256:{'0' * 64}", NAME: "base"}, (1, "annotation")),
        # nothing there is what they say: the largest image that fits
        ({DIGEST: f"sha256:{'0' * 64}"}, (2, "image")),
        ({DIGEST: "nonsense", NAME: "base"}, (2, "image")),
        ({NAME: "../../etc/passwd"}, (2, "image")),
        ({NAME: "\x1b[31m" + "x" * 5000}, (2, "image")),
        ({DIGEST: digest_of(TARS)}, (2, "image")),
        ({DIGEST: digest_of(TARS[1:])}, (2, "image")),
        (None, (2, "image")),
    ],
)
def test_annotations_of_the_manifest(
    squash: Squash, told: Recorder, tmp_path: Path, annotations: object, found: tuple[int, str]
) -> None:
    """The base is taken that they tell, if it is there and its layers are the lowest ones."""
    result = squash(layout_with_bases(tmp_path, annotations))
    assert result.base is not None
    assert (result.base.layers, result.base.found_by) == found
    assert result.layers_after == found[0] + 1
    assert result.to_json()["base"]["layers"] == found[0]
    assert told.notes[-1].startswith(f"layer{'s 1-2 are' if found[0] > 1 else ' 1 is'} all of ")
    if annotations and found[1] == "image":
        assert "is not taken for the base: " in told.notes[0]
        assert len(told.notes[0]) < 2000


def test_a_label_counts_less_than_an_annotation(squash: Squash, tmp_path: Path) -> None:
    """It may be inherited."""
    labels = {"config": {"Labels": {NAME: "base"}}}
    assert squash(layout_with_bases(tmp_path, config=labels)).layers_after == 2
    both = layout_with_bases(tmp_path, {NAME: "python"}, config=labels)
    assert squash(both).layers_after == 3


def test_annotations_in_an_index(squash: Squash, tmp_path: Path) -> None:
    """Of the image's entry, before those of the index."""
    platform = {"os": "linux", "architecture": "amd64"}
    for own, layers in (({NAME: "base"}, 2), ({}, 3)):
        made = Layout()
        made.add(made.manifest(BASE), "base").add(made.manifest(PYTHON), "python")
        image = {**made.manifest(TARS), "platform": platform, "annotations": own}
        made.add(made.index(image, annotations={NAME: "python"}), "app")
        where = made.write(tmp_path / f"layout{layers}")
        assert squash(f"oci:{where}:app").layers_after == layers


# -- the provenance of its build


def attested(tmp_path: Path, *dependencies: object, about: object = None) -> str:
    """Return a layout with both bases, and an image with the provenance of its build."""
    made = Layout()
    made.add(made.manifest(BASE), "base").add(made.manifest(PYTHON), "python:3")
    image = {**made.manifest(TARS), "platform": {"os": "linux", "architecture": "amd64"}}
    predicate = {"buildDefinition": {"resolvedDependencies": dependencies}}
    statement = json.dumps({"predicate": predicate}).encode()
    kind = {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": made.blob(b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [made.blob(statement, _STATEMENT, annotations=kind)],
    }
    attestation = {
        **made.blob(json.dumps(manifest).encode(), _MANIFEST),
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": about or image["digest"],
        },
    }
    made.add(made.index(image, attestation), "app")
    return f"oci:{made.write(tmp_path / 'layout')}:app"


def used(name: str, tars: Sequence[bytes]) -> dict[str, object]:
    """Return a dependency as BuildKit writes it."""
    digest = digest_of(tars).removeprefix("sha256:")
    return {"uri": f"pkg:docker/{name}?platform=linux%2Famd64", "digest": {"sha256": digest}}


def test_provenance(squash: Squash, told: Recorder, tmp_path: Path) -> None:
    """Of the images of several stages, that one whose layers are there, and most of them."""
    other = used("127.0.0.1:1/tool@1", TARS[1:2])
    image = attested(tmp_path, {"uri": 7}, other, used("base", BASE), used("python@3", PYTHON))
    result = squash(image)
    assert result.base is not None
    assert (result.base.layers, result.base.found_by) == (2, "provenance")
    assert result.base.name == "docker.io/library/python:3"
    assert told.notes[-1] == (
        "layers 1-2 are all of docker.io/library/python:3 (provenance of its build); kept"
    )
    assert written(tmp_path) == {
        NAME: "docker.io/library/python:3",
        DIGEST: digest_of(PYTHON),
    }


def test_provenance_of_another_image(squash: Squash, tmp_path: Path) -> None:
    """It says nothing of this one."""
    image = attested(tmp_path, used("base", BASE), about=digest_of(BASE))
    base = squash(image).base
    assert base is not None
    assert base.found_by == "image"


# -- what is beside it


def test_images_beside_it_in_an_archive(squash: Squash, tmp_path: Path) -> None:
    """The largest one; and it is known by its name from then on."""
    images = {"base:1": BASE, "app:1": TARS, "app:2": TARS}
    archive = to_file(tmp_path / "a.tar", several_images(images))
    result = squash(f"docker-archive:{archive}:app:1")
    assert result.base is not None
    assert (result.base.layers, result.base.name) == (1, "base:1")
    assert written(tmp_path) == {NAME: "docker.io/library/base:1"}
    found = lamella.analyze(f"docker-archive:{archive}:app:1")
    assert found.base is not None
    assert (found.base.layers, found.shared) == (1, 1)


# -- the history


def with_history(tmp_path: Path, *times: str) -> str:
    """Return an archive with a CMD above its first two layers, of steps at some times."""
    steps = made_by("ADD rootfs", "RUN python", "COPY app", "RUN app")
    for step, time in zip(steps, times, strict=False):
        step["created"] = time
    start = [{**_CMD, "created": step["created"]} for step in steps[:2]]
    history = [steps[0], start[0], steps[1], start[1], *steps[2:]]
    return to_file(tmp_path / "a.tar", docker_archive(*TARS, history=history))


def test_times_are_enough(squash: Squash, told: Recorder, tmp_path: Path) -> None:
    """The layers below the last long wait, though no image is known that has them."""
    times = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", *["2024-02-09T00:00:00Z"] * 2)
    result = squash(with_history(tmp_path, *times))
    assert result.base is not None
    assert (result.base.layers, result.base.found_by) == (2, "times")
    assert (
        told.notes[-1]
        == "layers 1-2 look like the base (the next layer was made 8 days later); kept"
    )
    assert result.kept_name == ""
    assert written(tmp_path) == {}


def test_without_times_the_candidates_are_offered(squash: Squash, tmp_path: Path) -> None:
    """Nothing is chosen that may be wrong."""
    image = with_history(tmp_path)
    with pytest.raises(Ambiguous) as caught:
        squash(image)
    assert str(caught.value) == (
        f"which layers of {image} are its base is not sure; give `base` 1 (CMD follows in the "
        "history), `base` 2 (CMD follows in the history)"
    )
    assert not (tmp_path / "new").exists()


def test_nothing_tells_the_base(squash: Squash, tmp_path: Path) -> None:
    """It has to be said."""
    image = to_file(tmp_path / "a.tar", docker_archive(*TARS))
    with pytest.raises(UnknownLayer, match=r"nothing tells the base of .*; give a layer"):
        squash(image)


def test_an_image_called_auto(squash: Squash, tmp_path: Path) -> None:
    """It is reached by its whole name."""
    archive = to_file(tmp_path / "a.tar", several_images({"auto:latest": BASE, "app:1": TARS}))
    base = squash(f"docker-archive:{archive}:app:1", "auto:latest").base
    assert base is not None
    assert (base.layers, base.found_by) == (1, "layer")


# -- what the new manifest says


OLD = {NAME: "reg.example/python:3", DIGEST: digest_of(PYTHON), "mine": "kept"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        # LAYER is an image: in a layout it has a digest, and a tag that is no name of an image
        ({"base": "base"}, {"mine": "kept", DIGEST: digest_of(BASE)}),
        ({"base": "auto"}, OLD),
        # its layers are kept, as far as the history tells, which is nothing here
        ({"base": "2"}, OLD),
        ({"last": 2}, OLD),
        ({"layers": ["3-4"]}, OLD),
        # they are not
        ({}, {"mine": "kept"}),
        ({"layers": ["1-2"]}, {"mine": "kept"}),
        # nothing is changed
        ({"last": 1}, OLD),
    ],
)
def test_what_the_source_says_stays_if_it_is_right(
    squash: Squash, tmp_path: Path, choice: dict[str, Any], expected: dict[str, str]
) -> None:
    """The base is still there, or nothing is said of it."""
    squash(layout_with_bases(tmp_path, OLD), **{"base": None, **choice})
    assert written(tmp_path) == expected


def test_what_the_history_tells_counts(squash: Squash, tmp_path: Path) -> None:
    """The base reaches higher than what is kept."""
    history = made_by("a", "b", "(CMD x)", "c", "d")
    made = Layout()
    made.add(made.manifest(TARS, annotations=OLD, config={"history": history}), "app")
    where = made.write(tmp_path / "layout")
    for base, says in (("1", {"mine": "kept"}), ("2", OLD)):
        squash(f"oci:{where}:app", base)
        assert written(tmp_path) == says


def test_docker_manifests_have_no_annotations(squash: Squash, tmp_path: Path) -> None:
    """Nothing is written to them, not even once they are converted."""
    made = Layout()
    made.add(made.manifest(BASE, docker=True), "base").add(made.manifest(TARS, docker=True), "app")
    squash(f"oci:{made.write(tmp_path / 'layout')}:app", "base")
    assert written(tmp_path) == {}


def test_an_index_and_its_entries(tmp_path: Path, told: Recorder) -> None:
    """What they say of the base is what the manifests say; where they say nothing, it stays so."""
    made = Layout()
    made.add(made.manifest(BASE), "base")
    platform = {"os": "linux", "architecture": "amd64"}
    told_old = {**made.manifest(TARS), "platform": platform, "annotations": OLD}
    made.add(made.index(told_old, annotations=OLD), "app")
    where = made.write(tmp_path / "layout")
    for number, (base, says) in enumerate(
        (("base", {"mine": "kept", DIGEST: digest_of(BASE)}), (None, {"mine": "kept"}))
    ):
        new = tmp_path / f"new{number}"
        lamella.squash(
            *(f"oci:{where}:app", base),
            platform="all",
            output=f"oci:{new}:new",
            env=lamella.Environment(progress=told),
        )
        [entry] = json.loads((new / "index.json").read_bytes())["manifests"]
        index = json.loads((new / "blobs" / entry["digest"].replace(":", "/")).read_bytes())
        assert index["annotations"] == says
        assert index["manifests"][0]["annotations"] == says
        manifest = index["manifests"][0]["digest"].replace(":", "/")
        own = json.loads((new / "blobs" / manifest).read_bytes()).get("annotations", {})
        assert own == {key: text for key, text in says.items() if key != "mine"}


def test_each_platform_has_its_own_base(tmp_path: Path, told: Recorder) -> None:
    """It is looked up for each."""
    made = Layout()
    bases, images = [], []
    for arch, count in (("amd64", 1), ("arm64", 2)):
        platform = {"os": "linux", "architecture": arch}
        tars = [layer((arch, b"x")), *TARS]
        base = made.manifest(tars[:count], config=platform)
        bases.append({**base, "platform": platform})
        notes = {DIGEST: base["digest"]}
        image = made.manifest(tars, config=platform, annotations=notes)
        images.append({**image, "platform": platform})
    for base in bases:
        made.add(base)
    made.add(made.index(*images), "app")
    result = lamella.squash(
        f"oci:{made.write(tmp_path / 'layout')}:app",
        "auto",
        platform="all",
        output=f"oci:{tmp_path}/new:new",
        env=lamella.Environment(progress=told),
    )
    assert [one.layers_after for one in result.platforms] == [2, 3]
    assert [one.base.layers for one in result.platforms if one.base] == [1, 2]
    assert result.base is None


def test_the_same_input_gives_the_same_bytes(squash: Squash, tmp_path: Path) -> None:
    """Whether the base is named or found."""
    image = layout_with_bases(tmp_path, {DIGEST: digest_of(BASE)})
    digests = {squash(image, base).digest for base in ("auto", "base", f"@{digest_of(BASE)}")}
    assert len(digests) == 1
    assert Digest.parse(digests.pop())
