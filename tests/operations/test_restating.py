"""What an image says of itself is changed while it is squashed, or with nothing to squash."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import lamella
from lamella.errors import UsageError
from lamella.spec.digest import Digest
from tests.odd.answers import Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.images import docker_archive, made_by
from tests.support.platforms import three_platforms
from tests.support.progress import Recorder
from tests.transport.forms import (
    TARS,
    Layout,
    layout_of,
    state_of,
    tars_of_archive,
    validate_archive,
    validate_layout,
)
from tests.transport.registry.faulty import front_of

SECRET = "hunter2-hunter2"
SETTINGS = {
    "Env": ["PATH=/bin", f"API_TOKEN={SECRET}"],
    "Labels": {"a": "b"},
    "Cmd": ["app", f"--header=X: {SECRET}"],
    "OnBuild": [f"RUN login {SECRET}"],
    "Healthcheck": {"Test": ["CMD-SHELL", f"ping {SECRET}"]},
}
HISTORY = [
    {"created_by": f"ENV API_TOKEN={SECRET}", "empty_layer": True},
    {"created_by": f"|1 PASS={SECRET} /bin/sh -c make", "comment": SECRET},
    {"created_by": "COPY . .", "author": SECRET},
    {"created_by": "USER x"},
]
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"


def config_with_secrets() -> dict[str, Any]:
    """Return fields of a config with a secret wherever one may be."""
    container = {"Env": [f"API_TOKEN={SECRET}"], "Image": f"sha256:{'0' * 64}"}
    return {"config": SETTINGS, "history": HISTORY, "container_config": container}


@pytest.fixture
def app(tmp_path: Path) -> str:
    """An image with a secret, in a layout."""
    note = {"note": f"use {SECRET}"}
    layout_of(config=config_with_secrets(), annotations=note).write(tmp_path / "app")
    return f"oci:{tmp_path}/app:app"


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    """An empty one."""
    with registry_in_memory(Oddly(0)) as found:
        yield found


def documents(layout: Path) -> Iterator[bytes]:
    """Yield what is no layer."""
    for path in layout.rglob("*"):
        if path.is_file() and (data := path.read_bytes()).lstrip().startswith(b"{"):
            yield data


def fields(result: lamella.Result) -> dict[str, tuple[object, object]]:
    """Return what a result says of its changes."""
    return {change.field: (change.before, change.after) for change in result.config_changes}


# -- layers stay where nothing is squashed


def test_in_a_registry_no_layer_moves(app: str, registry: MemoryRegistry) -> None:
    """The config and the manifest are sent; no layer is read."""
    lamella.squash(app, last=1, output=f"docker://{registry.host}/app:1")
    manifest = json.loads(registry.manifests["app", "1"][1])
    layers = [layer["digest"] for layer in manifest["layers"]]
    with front_of(registry.host) as front:
        name = f"docker://{front.host}/app:1"
        new = f"docker://{front.host}/app:2"
        given: dict[str, Any] = {"change": "USER me", "annotations": {"a": "b"}}
        result = lamella.squash(name, last=1, output=new, **given)
        sent = [line for line in front.requests if not line.startswith(("GET", "HEAD"))]
        read = [line for line in front.requests if line.startswith("GET")]
    assert (result.squashed, result.restated) == (False, True)
    assert not any(digest in line for line in read for digest in layers)
    assert [line.split()[0] for line in sent] == ["POST", "PUT", "PUT"]
    made = json.loads(registry.manifests["app", "2"][1])
    assert made["layers"] == manifest["layers"]
    assert made["annotations"] == {**manifest["annotations"], "a": "b"}
    config = json.loads(registry.blobs[made["config"]["digest"]])
    old = json.loads(registry.blobs[manifest["config"]["digest"]])
    assert config == {**old, "config": {**old["config"], "User": "me"}}


def test_in_a_layout_only_documents_are_new(app: str, tmp_path: Path) -> None:
    """Those of the source stay: another tag names them."""
    before = state_of(tmp_path / "app")
    lamella.squash(app, last=1, output=f"oci:{tmp_path}/app:new", unset_label="a")
    after = state_of(tmp_path / "app")
    new = [content for name, content in after.items() if name not in before]
    assert all(content and content.startswith(b"{") for content in new)
    assert len(new) == 2
    assert before.items() - after.items() == {("index.json", before["index.json"])}


def test_in_a_docker_archive_the_config_is_new(tmp_path: Path) -> None:
    """And has its own name."""
    old, new = tmp_path / "old.tar", tmp_path / "new.tar"
    old.write_bytes(docker_archive(*TARS, history=made_by("1", "2", "3")))
    result = lamella.squash(old, last=1, output=f"docker-archive:{new}", change="ENV A=c D=e")
    config = validate_archive(new)
    assert result.id != result.source_id
    assert config["config"] == {"Env": ["A=c", "D=e"], "Cmd": ["/bin/true"]}
    assert config["history"] == made_by("1", "2", "3")
    assert tars_of_archive(new) == list(TARS)


def test_where_nothing_changes_the_image_stays_as_it_is(app: str, tmp_path: Path) -> None:
    """To the byte; so the exit code is that of nothing to do."""
    before = state_of(tmp_path / "app/blobs")
    note = {"note": f"use {SECRET}"}
    nothing: dict[str, Any] = {"unset_env": "NONE", "change": "LABEL a=b", "annotations": note}
    result = lamella.squash(app, last=1, output=app, **nothing)
    assert (result.restated, result.config_changes) == (False, ())
    assert result.digest == result.source_digest
    assert state_of(tmp_path / "app/blobs") == before


@pytest.mark.parametrize("given", [{"redact": True}, {"redact_names": ["API_TOKEN", "PASS", "a"]}])
def test_what_is_redacted_already_is_no_change(
    app: str, tmp_path: Path, given: dict[str, Any]
) -> None:
    """It is not told, and there is nothing to do."""
    new = f"oci:{tmp_path}/new:app"
    first = lamella.squash(app, last=1, output=new, **given)
    again = lamella.squash(new, last=1, output=new, **given)
    assert (first.restated, again.restated, again.config_changes) == (True, False, ())
    assert again.digest == first.digest


# -- what is told


EVERYTHING: dict[str, Any] = {
    "change": ["ENV B=c PATH=/x:$PATH", "CMD []", "HEALTHCHECK --retries=2 CMD x"],
    "unset_label": "a",
    "unset_env": "API_TOKEN",
    "annotations": {"k": "v"},
}
TOLD = {
    "Cmd": (["app", "--header=X: (hidden)"], None),
    "Env.API_TOKEN": ("(hidden)", None),
    "Env.B": (None, "c"),
    "Env.PATH": ("/bin", "/x:/bin"),
    "Healthcheck.Retries": (None, 2),
    "Healthcheck.Test": (["CMD-SHELL", "ping (hidden)"], ["CMD-SHELL", "x"]),
    "Labels.a": ("b", None),
    "OnBuild": (["RUN login (hidden)"], ["RUN login ***"]),
    "container_config.Env.API_TOKEN": ("(hidden)", "***"),
    "history.1.created_by": ("ENV API_TOKEN=(hidden)", "ENV API_TOKEN=***"),
    "history.2.comment": ("(hidden)", "***"),
    "history.2.created_by": (
        "|1 PASS=(hidden) /bin/sh -c make",
        "|1 PASS=*** /bin/sh -c make",
    ),
    "history.3.author": ("(hidden)", "***"),
    "manifest.annotations.k": (None, "v"),
    "manifest.annotations.note": ("use (hidden)", "use ***"),
}


def test_each_changed_field_is_told_before_a_byte_is_written(app: str, tmp_path: Path) -> None:
    """A dry run and the result say the same, without the secret; so does `verify` of the config."""
    before = state_of(tmp_path)
    dry = lamella.squash(app, last=1, dry_run=True, redact=True, **EVERYTHING)
    assert state_of(tmp_path) == before
    assert fields(dry) == TOLD
    assert SECRET not in json.dumps(dry.to_json())
    assert dry.to_json()["config_changes"][0] == {
        "field": "Cmd",
        "before": ["app", "--header=X: (hidden)"],
        "after": None,
    }
    new = f"oci:{tmp_path}/new:app"
    made = lamella.squash(app, last=2, output=new, redact=True, check=True, **EVERYTHING)
    assert made.squashed
    assert made.verified
    assert fields(made) == TOLD
    differing = {difference.what for difference in lamella.verify(app, new)}
    documented = {name for name in TOLD if not name.startswith(("history", "manifest"))}
    assert differing == {f"config {name}" for name in documented}


def test_what_is_said_of_a_secret_that_is_set_is_no_secret(app: str) -> None:
    """An argument may be one, too; so in what an attestation says was asked for."""
    given: dict[str, Any] = {
        "change": f"ENV B_TOKEN={SECRET}",
        "annotations": {"my.token": SECRET},
    }
    result = lamella.squash(app, last=1, dry_run=True, **given)
    assert fields(result)["Env.B_TOKEN"] == (None, "(hidden)")
    assert fields(result)["manifest.annotations.my.token"] == (None, "(hidden)")
    assert result.asked["change"] == ["ENV B_TOKEN=(hidden)"]
    assert result.asked["annotations"] == {"my.token": "(hidden)"}
    assert SECRET not in json.dumps([result.to_json(), dict(result.asked)])


def test_a_secret_that_goes_is_not_shown(app: str) -> None:
    """Though nothing is to be redacted."""
    result = lamella.squash(
        app, last=1, dry_run=True, unset_env="API_TOKEN", change="ONBUILD USER x"
    )
    assert fields(result)["Env.API_TOKEN"] == ("(hidden)", None)


def test_what_is_to_go_but_is_not_there_is_told(app: str) -> None:
    """In a line: it may be a slip."""
    told = Recorder()
    env = lamella.Environment(progress=told)
    lamella.squash(app, last=1, dry_run=True, unset_env=["PATH", "PAHT"], env=env)
    assert told.notes == ["`unset_env` PAHT: the image has no such variable"]


# -- secrets


@pytest.mark.parametrize("how", [{"redact": True}, {"redact_names": ["API_TOKEN"]}])
@pytest.mark.parametrize("last", [1, 3])
def test_a_secret_is_in_no_document(
    app: str, tmp_path: Path, how: dict[str, Any], last: int
) -> None:
    """Searched as bytes; what is set by the same call goes, too."""
    given: dict[str, Any] = {
        "change": f"LABEL c={SECRET}",
        "annotations": {"k": SECRET},
        "history": "keep",
    }
    lamella.squash(app, last=last, output=f"oci:{tmp_path}/new:app", **how, **given)
    manifest, config = validate_layout(tmp_path / "new", "app")
    assert not [data for data in documents(tmp_path / "new") if SECRET.encode() in data]
    assert config["config"]["Labels"] == {"a": "b", "c": "***"}
    assert manifest["annotations"]["k"] == "***"
    assert config["x-unknown"] == {"kept": ["as", "it is", 1.5]}


# -- history


def test_history_tells_nothing(app: str, tmp_path: Path) -> None:
    """Docker wants an entry for each layer; that of the new one has the message."""
    blank = {"created": "2024-05-06T07:08:09Z"}
    result = lamella.squash(app, last=1, history="drop", output=f"oci:{tmp_path}/same:app")
    assert validate_layout(tmp_path / "same")[1]["history"] == [blank] * 3
    assert fields(result) == {"history": ("4 entries", "a blank one for each layer")}
    new = f"oci:{tmp_path}/new:app"
    lamella.squash(app, last=2, history="drop", message="why", created="2024-01-01", output=new)
    blank = {"created": "2024-01-01T00:00:00Z"}
    told = validate_layout(tmp_path / "new")[1]["history"]
    assert told == [blank, {**blank, "comment": "why"}]


def test_an_image_without_history_gets_none(tmp_path: Path) -> None:
    """There is nothing to drop."""
    layout_of(config={"history": None}).write(tmp_path / "app")
    app = f"oci:{tmp_path}/app:app"
    assert not lamella.squash(app, last=1, history="drop", dry_run=True).restated


# -- annotations


def test_annotations_are_added_beside_those_of_the_base(tmp_path: Path) -> None:
    """A user's own word is the last one."""
    layout = layout_of()
    layout.add(layout.manifest(TARS[:1]), "base").write(tmp_path / "app")
    app, base = f"oci:{tmp_path}/app:app", f"oci:{tmp_path}/app:base"
    name, digest = (f"org.opencontainers.image.base.{key}" for key in ("name", "digest"))
    new = f"oci:{tmp_path}/new:app"
    lamella.squash(app, base, output=new, annotations={name: "mine", "a": "b"})
    manifest, _ = validate_layout(tmp_path / "new")
    annotations = manifest["annotations"]
    assert annotations.pop(digest).startswith("sha256:")
    assert annotations == {name: "mine", "a": "b"}


def test_docker_manifests_have_no_annotations(registry: MemoryRegistry, tmp_path: Path) -> None:
    """Said before anything is sent; a layout has OCI's."""
    layout = layout_of(docker=True)
    layout.write(tmp_path / "app")
    app, place = f"oci:{tmp_path}/app:app", f"docker://{registry.host}/app:1"
    with pytest.raises(UsageError, match=r"has a Docker manifest \(schema 2\)"):
        lamella.squash(app, last=2, output=place, annotations={"a": "b"})
    assert not registry.manifests
    assert not registry.blobs
    result = lamella.squash(app, last=2, output=f"oci:{tmp_path}/new:app", annotations={"a": "b"})
    assert validate_layout(tmp_path / "new")[0]["annotations"] == {"a": "b"}
    assert fields(result) == {"manifest.annotations.a": (None, "b")}
    secret = {"my.token": SECRET}
    result = lamella.squash(app, dry_run=True, redact=True, annotations=secret)
    assert fields(result) == {"manifest.annotations.my.token": (None, "***")}


def test_an_archive_of_dockers_has_no_manifest(app: str, tmp_path: Path) -> None:
    """So there is no place for annotations."""
    output = f"docker-archive:{tmp_path}/new.tar"
    with pytest.raises(UsageError, match="keeps no manifest to have them; expected a registry"):
        lamella.squash(app, last=2, output=output, annotations={"a": "b"})
    assert not (tmp_path / "new.tar").exists()


@pytest.mark.parametrize("platform", ["all", None])
def test_an_image_in_no_index_has_no_annotations_of_one(app: str, platform: str | None) -> None:
    """With `platform` all, too."""
    with pytest.raises(UsageError, match="`annotations` 'index:a': no index is written here"):
        lamella.squash(app, platform=platform, annotations={"index:a": "b"}, dry_run=True)


# -- every platform


def blob(layout: Path, descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of a layout."""
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    value: dict[str, Any] = json.loads(path.read_bytes())
    return value


def listed(layout: Path, tag: str) -> dict[str, Any]:
    """Return what a tag of a layout stands for."""
    entries = json.loads((layout / "index.json").read_bytes())["manifests"]
    names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries]
    return blob(layout, entries[names.index(tag)])


def images_in(layout: Path, index: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the manifests of images that an index lists, and those of the indexes in it."""
    for entry in index["manifests"]:
        value = blob(layout, entry)
        if "manifests" in value:
            yield from images_in(layout, value)
        elif "config" in value["config"]["mediaType"]:
            yield value


def test_each_image_of_an_index_changes_and_so_does_the_index(tmp_path: Path) -> None:
    """Attestations of what changes go, even where no layer is squashed."""
    three_platforms().layout.write(tmp_path / "app")
    app, new = f"oci:{tmp_path}/app:app", tmp_path / "new"
    given: dict[str, Any] = {
        "change": "USER me",
        "annotations": {"all": "1", "manifest:one": "2", "index:whole": "new"},
    }
    dry = lamella.squash(app, last=1, platform="all", dry_run=True, **given)
    made = lamella.squash(app, last=1, platform="all", output=f"oci:{new}:app", **given)
    for result in (dry, made):
        assert (result.squashed, result.restated) == (False, True)
        assert fields(result) == {
            "index.annotations.all": (None, "1"),
            "index.annotations.whole": ("kept", "new"),
        }
        assert [fields(one) for one in result.platforms] == [
            {
                "User": (None, "me"),
                "manifest.annotations.all": (None, "1"),
                "manifest.annotations.one": (None, "2"),
            }
        ] * 3
    told = [change.field for change in made.all_changes]  # each once
    assert told == [*fields(made), "User", "manifest.annotations.all", "manifest.annotations.one"]
    index = listed(new, "app")
    assert index["annotations"] == {"whole": "new", "all": "1"}
    images = list(images_in(new, index))
    assert [image["annotations"] for image in images] == [{"all": "1", "one": "2"}] * 3
    assert [blob(new, image["config"])["config"]["User"] for image in images] == ["me"] * 3
    assert len([text for text in made.left_out if "attestation" in text]) == 2
    nested = [entry for entry in index["manifests"] if "index" in entry["mediaType"]]
    assert [blob(new, entry)["annotations"] for entry in nested] == [{"inner": "kept"}]


def test_an_index_that_has_it_all_stays_as_it_is(tmp_path: Path) -> None:
    """To the byte, and with all that it lists."""
    three_platforms().layout.write(tmp_path / "app")
    given: dict[str, Any] = {"annotations": {"index:whole": "kept"}, "unset_env": "NONE"}
    output = f"oci:{tmp_path}/new:app"
    app = f"oci:{tmp_path}/app:app"
    result = lamella.squash(app, last=1, platform="all", output=output, **given)
    assert not result.restated
    assert result.digest == result.source_digest
    assert result.left_out == ()


def test_a_secret_of_one_image_is_none_of_another(tmp_path: Path) -> None:
    """It may be in the index, in an index within it, and in descriptors of others."""
    layout = Layout()
    secret = layout.manifest(config={"config": {"Env": [f"API_TOKEN={SECRET}"]}})
    other = layout.manifest(TARS[:1], config={"config": {"User": SECRET}})
    platforms = [{"os": "linux", "architecture": arch} for arch in ("amd64", "arm64")]
    inner = layout.index({**other, "platform": platforms[1]}, annotations={"y": f"<{SECRET}>"})
    entries = [
        {**secret, "platform": platforms[0], "annotations": {"x": SECRET}},
        {**inner, "annotations": {SECRET: "x"}},
    ]
    layout.add(layout.index(*entries, annotations={"z": SECRET}), "app").write(tmp_path / "app")
    new = tmp_path / "new"
    app = f"oci:{tmp_path}/app:app"
    result = lamella.squash(app, platform="all", redact=True, output=f"oci:{new}:app")
    assert len(list(images_in(new, listed(new, "app")))) == 2
    assert not [data for data in documents(new) if SECRET.encode() in data]
    assert fields(result) == {"index.annotations.z": ("(hidden)", "***")}
    assert SECRET not in json.dumps(result.to_json())


def test_what_is_allowed_stays_in_all_images(tmp_path: Path) -> None:
    """In the index, in each image, in what is set anew; a line that allows nothing is told."""
    layout = Layout()
    old = {"config": {"Env": [f"DEMO_TOKEN={SECRET}", "B_TOKEN=x"]}}
    one = layout.manifest(config=old)
    other = layout.manifest(TARS[:1], config={"config": {"Labels": {"a.token": SECRET}}})
    entries = [
        {**image, "platform": {"os": "linux", "architecture": arch}}
        for image, arch in ((one, "amd64"), (other, "arm64"))
    ]
    index = layout.index(*entries, annotations={"demo.token": "here"})
    layout.add(index, "app").write(tmp_path / "app")
    app, new = f"oci:{tmp_path}/app:app", tmp_path / "new"
    told = Recorder()
    result = lamella.squash(
        app,
        platform="all",
        redact=True,
        allow=["env:*DEMO_TOKEN", "annotation:demo.*", "label:none", "/etc/key"],
        change=["ENV NEW_DEMO_TOKEN=y C_TOKEN=z"],
        output=f"oci:{new}:app",
        env=lamella.Environment(progress=told),
    )
    images = list(images_in(new, listed(new, "app")))
    assert listed(new, "app")["annotations"] == {"demo.token": "here"}
    configs = [blob(new, image["config"])["config"] for image in images]
    set_anew = ["NEW_DEMO_TOKEN=y", "C_TOKEN=***"]
    assert configs[0]["Env"] == [f"DEMO_TOKEN={SECRET}", "B_TOKEN=***", *set_anew]
    assert configs[1] == {"Env": set_anew, "Labels": {"a.token": SECRET}}
    assert SECRET not in json.dumps(result.to_json())
    notes = [note.partition("`allow` ")[2] for note in told.notes if "`allow`" in note]
    assert notes == 2 * ["label:none: no likely secret is there"]


def test_dockers_lists_have_no_annotations(registry: MemoryRegistry, tmp_path: Path) -> None:
    """As its manifests; in a layout both are OCI's, and have them."""
    layout = Layout()
    image = layout.manifest(docker=True)
    entry = {**image, "platform": {"os": "linux", "architecture": "amd64"}}
    value = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    for data in layout.files.values():
        registry.blobs[str(Digest.of(data))] = data
    registry.put("app", "1", INDEX, value)
    manifest = layout.files[f"blobs/sha256/{image['digest'][7:]}"]
    registry.put("app", image["digest"], image["mediaType"], manifest)
    app = f"docker://{registry.host}/app:1"
    with pytest.raises(UsageError, match="has a Docker manifest list, which can't have them"):
        lamella.squash(app, platform="all", tag="2", annotations={"index:a": "b"})
    with pytest.raises(UsageError, match=r"has a Docker manifest \(schema 2\)"):
        lamella.squash(app, platform="all", tag="2", annotations={"manifest:a": "b"})
    assert ("app", "2") not in registry.manifests
    new = tmp_path / "new"
    lamella.squash(app, platform="all", output=f"oci:{new}:app", annotations={"a": "b"})
    index = listed(new, "app")
    assert index["annotations"] == {"a": "b"}
    assert [image["annotations"] for image in images_in(new, index)] == [{"a": "b"}]
