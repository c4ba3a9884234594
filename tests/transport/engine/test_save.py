"""A save that streams by: the same image out of every form, and only what was asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, BinaryIO

import pytest

from lamella.errors import DigestMismatch, EngineError, LamellaError, MalformedImage, Unsupported
from lamella.image import Image
from lamella.layer.blob import Bytes, Layer
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import NotFetched, TarHeaders
from lamella.layer.spool import Spool
from lamella.spec.config import Config
from lamella.spec.digest import Digest
from lamella.tar.scan import scan
from lamella.transport.engine.save import SaveSelection, read_save, v1_ids
from lamella.transport.engine.saved_image import assemble
from tests.support.tars import layer, whiteout
from tests.transport.forms import (
    Layout,
    compress,
    config_bytes,
    docker_archive_since_25,
    docker_archive_with,
    layout_of,
)

TARS = (
    layer("etc/", ("etc/name", b"base\n" * 2000), ("etc/old", b"x" * 70_000)),
    layer(("etc/name", b"changed\n" * 1500), whiteout("etc/old")),
    layer(("etc/new", b"n" * 9000)),
)


class CountingSpool(Spool):
    """Knows how much was written to it."""

    written = 0

    def write(self, file: BinaryIO, chunk: bytes | memoryview) -> None:
        """Count, and write."""
        self.written += len(chunk)
        super().write(file, chunk)


def before_25(tars: Sequence[bytes], folders: Sequence[str]) -> bytes:
    """Return what Docker before 25 saves; a repeated layer is a link to the first."""
    config = config_bytes(tars)
    config_name = f"{Digest.of(config).hex}.json"
    files: dict[str, bytes | str] = {}
    first: dict[bytes, str] = {}
    for name, tar in sorted(zip(folders, tars, strict=True)):
        files[f"{name}/VERSION"] = b"1.0"
        files[f"{name}/json"] = b'{"id":"x"}'
        again = first.get(tar)
        files[f"{name}/layer.tar"] = f"../{again}/layer.tar" if again else tar
        first.setdefault(tar, name)
    files[config_name] = config
    names = [f"{name}/layer.tar" for name in folders]
    return docker_archive_with(files, [{"Config": config_name, "RepoTags": None, "Layers": names}])


def known_folders(tars: Sequence[bytes]) -> list[str]:
    """Name the folders as Docker does; the top one could be anything."""
    return [*v1_ids([Digest.of(tar) for tar in tars]), "f" * 64]


def by_podman(tars: Sequence[bytes]) -> bytes:
    """Return what `podman save` writes."""
    config = config_bytes(tars)
    files: dict[str, bytes | str] = {f"{Digest.of(tar).hex}.tar": tar for tar in tars}
    files[f"{Digest.of(config).hex}.json"] = config
    names = [f"{Digest.of(tar).hex}.tar" for tar in tars]
    entry = {"Config": f"{Digest.of(config).hex}.json", "RepoTags": [], "Layers": names}
    return docker_archive_with(files, [entry])


def by_containerd(made: Layout, tars: Sequence[bytes], compression: str) -> bytes:
    """Return what the containerd store saves: a layout with a ``manifest.json``."""
    names = [f"blobs/sha256/{Digest.of(compress(compression, tar)).hex}" for tar in tars]
    config = f"blobs/sha256/{Digest.of(config_bytes(tars)).hex}"
    files: dict[str, bytes | str] = dict(sorted(made.all_files().items()))
    return docker_archive_with(files, [{"Config": config, "RepoTags": None, "Layers": names}])


def with_attestation(tars: Sequence[bytes]) -> Layout:
    """Return what buildx makes: an index of the image and of a manifest about it."""
    made = Layout()
    image = made.manifest(tars, "gzip")
    unknown = {"os": "unknown", "architecture": "unknown"}
    about = made.manifest([b"{}"], "none", config={**unknown, "about": image["digest"]})
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    platform = {"os": "linux", "architecture": "amd64"}
    index = made.index(
        {**about, "annotations": note, "platform": unknown}, {**image, "platform": platform}
    )
    return made.add(index)


def save(form: str, tars: Sequence[bytes] = TARS) -> bytes:
    """Return an image as an engine saves it."""
    match form.split():
        case ["before-25"]:
            return before_25(tars, known_folders(tars))
        case ["before-25-elsewhere"]:  # in another time zone the folders have other names
            return before_25(tars, [f"{number:064x}" for number in range(len(tars))])
        case ["since-25"]:
            return docker_archive_since_25(tars)
        case ["podman"]:
            return by_podman(tars)
        case ["containerd-attested"]:
            return by_containerd(with_attestation(tars), tars, "gzip")
    compression = form.removeprefix("containerd-")
    return by_containerd(layout_of(tars, compression), tars, compression)


CLASSIC = ("before-25", "before-25-elsewhere", "since-25", "podman")
CONTAINERD = ("containerd-gzip", "containerd-zstd", "containerd-none", "containerd-attested")
FORMS = (*CLASSIC, *CONTAINERD)


def fetch(  # noqa: D417 - the rest is `SaveSelection`'s
    raw: bytes,
    form: str,
    content: Sequence[int] = (),
    listed: Sequence[int] = (),
    tars: Sequence[bytes] = TARS,
    spool: Spool | None = None,
) -> Image:
    """Read a save.

    Args:
        raw: the archive.
        form: who made it.
        tars: the layers as the engine described them.
        spool: takes what is kept.
    """
    spool = spool or Spool()
    diff_ids = tuple(Digest.of(tar) for tar in tars)
    wanted = SaveSelection(diff_ids, frozenset(content), frozenset(listed))
    described = Image("app", Config.parse(config_bytes(tars), "app"), ())
    saved = read_save(io.BytesIO(raw), wanted, spool, "app", lambda _: None)
    return assemble(saved, wanted, described, spool, with_manifest=form.startswith("containerd"))


def content_of(layers: Sequence[Layer]) -> list[bytes]:
    """Read layers as a squash does, checks included."""
    with LayerOpener(Spool()) as opened:
        tars = opened.open(layers)
        for one in layers:
            opened.check(one)
        opened.verify()
        return [tar.read_at(0, tar.size) for tar in tars]


@pytest.mark.parametrize("form", FORMS)
def test_every_layer_can_be_had(form: str) -> None:
    """Config and layers are byte for byte the image's own."""
    image = fetch(save(form), form, content=[0, 1, 2])
    assert image.config.raw == config_bytes(TARS)
    assert content_of(image.layers) == list(TARS)
    assert (image.manifest is not None) == form.startswith("containerd")


@pytest.mark.parametrize("form", FORMS)
def test_only_what_is_asked_for_can_be_read(form: str) -> None:
    """One layer whole, the headers of another, of the third only that it is there."""
    image = fetch(save(form), form, content=[2], listed=[1])
    assert content_of(image.layers[2:]) == [TARS[2]]
    headers = image.layers[1].blob
    assert isinstance(headers, TarHeaders)
    assert scan(headers) == scan(Bytes(TARS[1]))
    assert isinstance(image.layers[0].blob, NotFetched)
    with pytest.raises(Unsupported, match="app: layer 1"):
        image.layers[0].blob.open()


@pytest.mark.parametrize("form", sorted(set(CLASSIC) - {"before-25-elsewhere"}))
def test_what_is_not_asked_for_is_not_spooled(form: str) -> None:
    """A base layer of any size costs no disk."""
    spool = CountingSpool()
    fetch(save(form), form, content=[2], listed=[1], spool=spool)
    assert len(TARS[2]) <= spool.written < len(TARS[2]) + len(TARS[1]) < len(TARS[0])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("needed", [[0], [2], [0, 2]])
def test_repeated_layers_are_told_by_position(form: str, needed: list[int]) -> None:
    """The same layer twice: one file, or a link to it."""
    tars = (TARS[2], TARS[1], TARS[2])
    image = fetch(save(form, tars), form, content=needed, listed=[1], tars=tars)
    assert content_of([image.layers[i] for i in needed]) == [TARS[2]] * len(needed)
    assert len(image.layers) == 3


@pytest.mark.parametrize("form", FORMS)
def test_a_save_that_is_cut_off_is_an_error(form: str) -> None:
    """Wherever it ends."""
    raw = save(form, TARS[1:])
    for end in range(0, len(raw) - 1536, 512):
        with pytest.raises(LamellaError):
            fetch(raw[:end], form, content=[1], listed=[0], tars=TARS[1:])


@pytest.mark.parametrize("form", FORMS)
def test_changed_content_is_noticed(form: str) -> None:
    """In a layer that is squashed, and in one of which only the headers count."""
    for position, byte in ((2, b"nnnn"), (1, b"changed\nchanged")):
        compression = form.removeprefix("containerd-").replace("attested", "gzip")
        stored = compress(compression, TARS[position]) if "containerd" in form else TARS[position]
        at = save(form).index(stored) + (stored.find(byte) if byte in stored else len(stored) // 2)
        raw = bytearray(save(form))
        raw[at] ^= 1
        with pytest.raises((DigestMismatch, MalformedImage)):
            content_of(fetch(bytes(raw), form, content=[2], listed=[1]).layers[2:])


def test_the_manifest_is_found_beside_attestations() -> None:
    """It is the one that names the config; its descriptors come with the layers."""
    image = fetch(save("containerd-attested"), "containerd", content=[2])
    assert image.manifest is not None
    assert [one.descriptor for one in image.layers] == list(image.manifest.layers)
    assert image.manifest.layers[0].annotations == {"layer": "0"}


def test_a_blob_that_the_store_lacks_is_an_error() -> None:
    """Without a word the containerd store saves what it has; layers that stay count too."""
    made = layout_of(TARS, "gzip")
    lost = Digest.of(compress("gzip", TARS[0]))
    del made.files[f"blobs/sha256/{lost.hex}"]
    raw = by_containerd(made, TARS, "gzip")
    with pytest.raises(EngineError, match=f"layer 1: the engine's store lacks {lost}"):
        fetch(raw, "containerd", content=[2])


def test_an_image_that_changed_meanwhile_is_an_error() -> None:
    """Described it had other layers."""
    with pytest.raises(EngineError, match="app: the image changed while"):
        fetch(save("since-25"), "since-25", tars=TARS[:2])


@pytest.mark.parametrize(
    "entries", [[], [{}], [{"Config": 1}], [{"Config": "gone", "Layers": []}], {"a": 1}, "x"]
)
def test_an_archive_without_sound_metadata_is_an_error(entries: Any) -> None:  # noqa: ANN401
    """Whatever `manifest.json` holds."""
    with pytest.raises((MalformedImage, EngineError), match="app"):
        fetch(docker_archive_with({}, entries), "since-25")


def test_folders_of_old_saves_are_known_beforehand() -> None:
    """Computed here by another way: sorted keys of what Docker's source lists."""
    texts = ("Hostname", "Domainname", "User")
    switches = ("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce")
    config: dict[str, object] = dict.fromkeys(texts, "") | dict.fromkeys(switches, False)
    config |= {"Env": None, "Cmd": None, "Image": "", "Volumes": None, "WorkingDir": ""}
    config |= {"Entrypoint": None, "OnBuild": None, "Labels": None}
    first = {
        "container_config": config,
        "created": "1970-01-01T00:00:00Z",
        "layer_id": Digest.of(b"1"),
    }
    expected = Digest.of(json.dumps(first, separators=(",", ":")).encode()).hex
    assert v1_ids([Digest.of(b"1"), Digest.of(b"2"), Digest.of(b"3")])[0] == expected
    assert v1_ids([Digest.of(b"1")]) == []
