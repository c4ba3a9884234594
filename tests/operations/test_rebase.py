"""The layers above a base lie on another one, byte for byte, and the config is of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import lamella
from lamella.errors import ImageError, UsageError
from tests.support.images import docker_archive, made_by
from tests.support.tars import layer, link, whiteout
from tests.transport.forms import (
    Layout,
    config_bytes,
    docker_archive_with,
    several_images,
    tars_of_archive,
)

NAME, DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
OLD = (layer(("os", b"1")), layer(("lib", b"1")))
NEW = (OLD[0], layer(("lib", b"22")), layer(("more", b"3")))
OWN = (layer(("app", b"a"), whiteout("lib")), layer(("app", b"b")))


def layout(
    folder: Path,
    *,
    own: Sequence[bytes] = OWN,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    new: Mapping[str, object] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> tuple[str, str, str]:
    """Write an image and both bases; return their references: of the image, the old, the new."""
    made, tars = Layout(), {"app": (*OLD, *own), "old": OLD, "new": NEW}
    for tag, stack in tars.items():
        config: dict[str, object] = {"config": (settings or {}).get(tag, {})}
        config |= (new or {}) if tag == "new" else {}
        notes = annotations if tag == "app" else None
        made.add(made.manifest(stack, config=config, annotations=notes), tag)
    made.write(folder)
    return f"oci:{folder}:app", f"oci:{folder}:old", f"oci:{folder}:new"


def config_of(reference: str) -> dict[str, Any]:
    """Return the config of an image."""
    with lamella.open_image(reference) as image:
        return dict(image.config.value)


def test_own_layers_stay_as_they_are(tmp_path: Path) -> None:
    """The descriptors are those of the new base and of the image, in this order."""
    names = layout(tmp_path / "layout")
    result = lamella.rebase(*names, output=f"oci:{tmp_path}/new:new")

    with (
        lamella.open_image(f"oci:{tmp_path}/new:new") as image,
        lamella.open_image(names[0]) as app,
        lamella.open_image(names[2]) as base,
    ):
        assert image.manifest is not None
        assert app.manifest is not None
        assert base.manifest is not None
        layers = (*base.manifest.layers, *app.manifest.layers[2:])
        assert image.manifest.layers == layers
        assert image.config.diff_ids == (*base.config.diff_ids, *app.config.diff_ids[2:])
        annotations = image.manifest.value["annotations"]
    assert annotations == {DIGEST: str(base.manifest.digest)}
    assert (result.old_layers, result.new_layers, result.own_layers) == (2, 3, 2)
    assert result.digest == str(image.manifest.digest)


def test_history_is_the_new_bases_and_the_images_own(tmp_path: Path) -> None:
    """Each layer has the entry that it had."""
    archives = {
        "app": ([*OLD, *OWN], made_by("old 1", "old 2", "(CMD old)", "own 1", "(ENV a)", "own 2")),
        "old": (OLD, made_by("old 1", "old 2", "(CMD old)")),
        "new": (NEW, made_by("new 1", "new 2", "new 3", "(CMD new)")),
        "odd": (OLD, None),
        "gap": ([*OLD, *OWN], made_by("own 2")),
    }
    for tag, (tars, history) in archives.items():
        (tmp_path / f"{tag}.tar").write_bytes(docker_archive(*tars, history=history))

    def steps(image: str, old: str, new: str) -> list[str | None]:
        app, below, other = (tmp_path / f"{name}.tar" for name in (image, old, new))
        lamella.rebase(app, below, other, output=f"docker-archive:{tmp_path}/out.tar")
        found = config_of(f"{tmp_path}/out.tar").get("history")
        return [entry.get("created_by") for entry in found or ()]

    own, new = ["own 1", "ENV a", "own 2"], ["new 1", "new 2", "new 3", "CMD new"]
    assert steps("app", "old", "new") == [*new, *own]
    assert tars_of_archive(tmp_path / "out.tar") == [*NEW, *OWN]
    assert steps("app", "odd", "new") == [*new, *own]  # the base says nothing
    assert steps("gap", "old", "new") == [*new, None, "own 2"]  # each layer needs one


def test_settings_are_merged_field_by_field(tmp_path: Path) -> None:
    """What the image set stays, what it inherited is the new base's."""
    settings: dict[str, dict[str, object]] = {
        "old": {
            "Env": ["PATH=/bin", "V=1", "GONE=1", "UNSET=1"],
            "Labels": {"v": "1", "mine": "old"},
            "Cmd": ["sh"],
            "User": "1",
            "ExposedPorts": {"80/tcp": {}},
        },
        "app": {
            "Env": ["PATH=/app:/bin", "V=1", "GONE=1", "OWN=1"],
            "Labels": {"v": "1", "mine": "mine", "own": "1", NAME: "old:1", DIGEST: "sha256:0"},
            "Cmd": ["sh"],
            "User": "5",
            "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
            "WorkingDir": "/app",
        },
        "new": {
            "Env": ["V=2", "PATH=/bin:/x", "ADDED=1", "UNSET=2"],
            "Labels": {"v": "2", "mine": "new", "added": "1"},
            "Cmd": ["bash"],
            "User": "2",
            "ExposedPorts": {"8080/tcp": {}},
            "StopSignal": "INT",
        },
    }
    names = layout(tmp_path / "layout", settings=settings, new={"variant": "v2", "author": "them"})
    lamella.rebase(*names, output=f"oci:{tmp_path}/new:new", created="2026-01-02T03:04:05Z")

    config = config_of(f"oci:{tmp_path}/new:new")
    with lamella.open_image(names[2]) as base:
        assert base.manifest is not None
        digest = str(base.manifest.digest)
    assert config["config"] == {
        "Env": ["V=2", "PATH=/app:/bin", "ADDED=1", "OWN=1"],
        "Labels": {"v": "2", "mine": "mine", "own": "1", "added": "1", DIGEST: digest},
        "Cmd": ["bash"],
        "User": "5",
        "ExposedPorts": {"443/tcp": {}, "8080/tcp": {}},
        "WorkingDir": "/app",
        "StopSignal": "INT",
    }
    assert (config["variant"], config["author"]) == ("v2", "them")
    assert config["created"] == "2026-01-02T03:04:05Z"
    assert config["x-unknown"]["kept"]


def test_an_entrypoint_of_its_own_resets_the_command(tmp_path: Path) -> None:
    """As in a Dockerfile: a new base's Cmd would be an argument that nobody asked for."""
    settings: dict[str, dict[str, object]] = {
        "old": {"Cmd": ["sh"]},
        "app": {"Entrypoint": ["app"], "Cmd": None},
        "new": {"Cmd": ["bash"]},
    }
    names = layout(tmp_path / "layout", settings=settings)
    lamella.rebase(*names, output=f"oci:{tmp_path}/new:new")
    assert config_of(f"oci:{tmp_path}/new:new")["config"] == settings["app"]


def test_it_says_from_where_on_a_base_is_another_one(tmp_path: Path) -> None:
    """Before anything is read or written."""
    app, old, new = layout(tmp_path / "layout")
    with pytest.raises(UsageError, match="they differ from layer 2 on; expected sha256:"):
        lamella.rebase(app, new, old, output=f"oci:{tmp_path}/new:new")
    with pytest.raises(UsageError, match="from layer 3 on; expected 4 layers or more, got 2"):
        lamella.rebase(old, app, new, output=f"oci:{tmp_path}/new:new")
    assert not (tmp_path / "new").exists()


def test_bases_of_another_platform_are_refused(tmp_path: Path) -> None:
    """Their programs would not run."""
    app, old, _ = layout(tmp_path / "layout")
    config, names = config_bytes(NEW, architecture="arm64"), [f"{n}.tar" for n in range(3)]
    files: dict[str, bytes | str] = {"c.json": config, **dict(zip(names, NEW, strict=True))}
    archive = docker_archive_with(files, [{"Config": "c.json", "Layers": names}])
    (tmp_path / "new.tar").write_bytes(archive)
    with pytest.raises(UsageError, match="arm64"):
        lamella.rebase(app, old, tmp_path / "new.tar", dry_run=True)


def test_what_engines_cannot_unpack_is_not_written(tmp_path: Path) -> None:
    """The message names the first such thing; a report tells all of them."""
    names = layout(tmp_path / "layout", own=[layer(link("l", "lib"), link("m", "lib"))])
    with pytest.raises(ImageError, match=r"layer 3 has a hard link to a file that .* /l \(and 1"):
        lamella.rebase(*names, output=f"oci:{tmp_path}/new:new")
    assert not (tmp_path / "new/index.json").exists()
    assert lamella.rebase(*names, dry_run=True).count("error") == 2


def test_the_base_is_found(tmp_path: Path) -> None:
    """As in a squash: by annotations, if they are right."""
    app, _, new = layout(tmp_path / "layout", annotations={NAME: "old"})
    assert lamella.rebase(app, "auto", new, dry_run=True).old_layers == 2


def test_a_bare_name_is_of_the_same_place(tmp_path: Path) -> None:
    """Here of the same archive."""
    file = tmp_path / "all.tar"
    file.write_bytes(several_images({"app:1": [*OLD, *OWN], "old:1": OLD, "new:1": NEW}))
    result = lamella.rebase(f"docker-archive:{file}:app:1", "old:1", "new:1", dry_run=True)
    assert result.new_layers == 3


def test_without_files_no_layer_is_read(tmp_path: Path) -> None:
    """Only the config is told of."""
    names = layout(
        tmp_path / "layout",
        own=[b"no tar"],
        settings={"old": {"User": "1"}, "app": {"User": "1"}, "new": {"User": "2"}},
    )
    result = lamella.rebase(*names, dry_run=True, files=False)
    assert [one.kind for one in result.conflicts] == ["user-inherits"]
    with pytest.raises(ImageError):
        lamella.rebase(*names, dry_run=True)


def test_one_dialect_of_manifests(tmp_path: Path) -> None:
    """Layers of Docker's kind get OCI's names in an OCI image."""
    made = Layout()
    made.add(made.manifest(NEW, docker=True), "new")
    made.add(made.manifest(OLD), "old").add(made.manifest([*OLD, *OWN], "zstd"), "app")
    made.write(tmp_path / "layout")
    app, old, new = (f"oci:{tmp_path}/layout:{tag}" for tag in ("app", "old", "new"))
    lamella.rebase(app, old, new, output=f"oci:{tmp_path}/new:new")
    with lamella.open_image(f"oci:{tmp_path}/new:new") as image:
        assert image.manifest is not None
        kinds = [one.media_type.rpartition(".")[2] for one in image.manifest.layers]
    assert kinds == ["tar+gzip"] * 3 + ["tar+zstd"] * 2


def test_the_document_tells_it_all(tmp_path: Path) -> None:
    """As docs/json.md has it."""
    document = lamella.rebase(*layout(tmp_path / "layout"), dry_run=True).to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["counts"] == {"error": 0, "warning": 0, "note": 1}
    (only,) = document["conflicts"]
    assert (only["kind"], only["path"], only["layer"]) == ("whiteout-changed", "lib", 3)
