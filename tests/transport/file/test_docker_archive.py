"""``docker-archive:``: every form in which engines and tools write one, and what we write."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

import lamella
from lamella.spec.digest import Digest
from tests.support.images import docker_archive
from tests.support.tars import layer, opaque
from tests.transport.forms import (
    COMPRESSIONS,
    TARS,
    compress,
    config_bytes,
    docker_archive_since_25,
    docker_archive_with,
    several_images,
    state_of,
    to_file,
    validate_archive,
)
from tests.transport_pairs.reading import read_archive

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures"
REPEATED = (TARS[0], TARS[1], TARS[0], TARS[2], TARS[1])


def squash_and_compare(source: str, tmp_path: Path, count: int, **choice: object) -> None:
    """Squash into every form; each result is valid and shows the same files."""
    for form in ("docker-archive", "oci-archive", "oci"):
        target = f"{form}:{tmp_path}/out-{form}"
        result = lamella.squash(source, output=target, check=True, **choice)  # type: ignore[arg-type]
        assert result.layers_before == count
        assert lamella.verify(source, target) == []
    validate_archive(tmp_path / "out-docker-archive")


def repeated_layers_as(link: str) -> bytes:
    """Return what Docker before 25 saves of an image with repeated layers.

    Each layer has a folder; where it repeats another its tar is a link to the first one's.
    """
    first: dict[bytes, str] = {}
    files: dict[str, bytes | str] = {}
    names = []
    for number, tar in enumerate(REPEATED):
        name = f"{number:064x}/layer.tar"
        names.append(name)
        if tar in first:
            files[name] = {"symlink": f"../{first[tar]}", "hard link": f"={first[tar]}"}[link]
        else:
            first[tar] = name
            files[name] = tar
        files[f"{number:064x}/VERSION"] = b"1.0"
        files[f"{number:064x}/json"] = b"{}"
    config = config_bytes(REPEATED)
    files["c.json"] = config
    files["repositories"] = b"{}"
    return docker_archive_with(files, [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": names}])


@pytest.mark.parametrize("link", ["symlink", "hard link"])
def test_repeated_layers_are_links(tmp_path: Path, link: str) -> None:
    """The same layer may come again, and hides then what was between."""
    source = f"docker-archive:{to_file(tmp_path / 'app.tar', repeated_layers_as(link))}"
    with lamella.open_image(source) as image:
        assert image.diff_ids == tuple(Digest.of(tar) for tar in REPEATED)
    squash_and_compare(source, tmp_path, 5, last=3)


def test_repeated_layers_are_written_once(tmp_path: Path) -> None:
    """Kept layers that repeat are stored once, as the reader expects."""
    source = f"docker-archive:{to_file(tmp_path / 'app.tar', repeated_layers_as('symlink'))}"
    lamella.squash(source, last=2, output=f"docker-archive:{tmp_path}/new.tar")
    config = validate_archive(tmp_path / "new.tar")
    assert len(config["rootfs"]["diff_ids"]) == 4
    assert (tmp_path / "new.tar").read_bytes().count(TARS[0][:-1024]) == 1


def test_form_since_docker_25_with_a_wrong_index(tmp_path: Path) -> None:
    """``manifest.json`` is what counts, whatever the index beside it says."""
    source = to_file(tmp_path / "app.tar", docker_archive_since_25())
    for reference in (f"docker-archive:{source}", source, f"docker-archive:{source}:app:latest"):
        with lamella.open_image(reference) as image:
            assert image.tags == ("app:latest",)
    squash_and_compare(source, tmp_path, 3)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_whole_archive_compressed(tmp_path: Path, compression: str) -> None:
    """`docker save app | gzip`, and whatever else is at hand."""
    source = to_file(tmp_path / "app", compress(compression, docker_archive(*TARS)))
    squash_and_compare(source, tmp_path, 3, base="#1")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_layers_compressed(tmp_path: Path, compression: str) -> None:
    """Podman can save them so; kept ones arrive readable for Docker 20.10."""
    stored = {f"{n}.tar": compress(compression, tar) for n, tar in enumerate(TARS)}
    entries = [{"Config": "c", "RepoTags": None, "Layers": list(stored)}]
    source = to_file(
        tmp_path / "app.tar", docker_archive_with({**stored, "c": config_bytes()}, entries)
    )
    squash_and_compare(source, tmp_path, 3, layers=["1-2"])
    written = (tmp_path / "out-docker-archive").read_bytes()
    assert (compress("zstd", TARS[2])[:32] in written) is False
    assert (stored["2.tar"] in written) is (compression in {"none", "gzip", "gzip in parts"})


@pytest.mark.parametrize("last", ["gzip", "none", "zstd"])
def test_layers_are_stored_alike(tmp_path: Path, last: str) -> None:
    """All with gzip if they were so, else all plain: crane takes all for what the first one is."""
    kinds = ("gzip", "gzip", "gzip", last)
    tars = (*TARS, layer(("etc/top", b"t" * 900)))
    stored = {f"{n}.tar": compress(kind, tars[n]) for n, kind in enumerate(kinds)}
    entries = [{"Config": "c", "RepoTags": None, "Layers": list(stored)}]
    archive = docker_archive_with({**stored, "c": config_bytes(tars)}, entries)
    source = to_file(tmp_path / "app.tar", archive)
    lamella.squash(source, layers=["2-3"], output=f"docker-archive:{tmp_path}/new.tar")
    expected = "gzip" if last == "gzip" else "plain"
    assert read_archive(tmp_path / "new.tar").compressions == [expected] * 3


def test_several_images_are_told_apart(tmp_path: Path) -> None:
    """By tag, however it is written, or by number."""
    images = {"base:1": TARS[:1], "app:latest": TARS, "untagged": TARS[:2]}
    source = f"docker-archive:{to_file(tmp_path / 'app.tar', several_images(images))}"
    tags = {"base:1": 1, "docker.io/library/app": 3, "app:latest": 3, "@0": 1, "@2": 2}
    for tag, layers in tags.items():
        with lamella.open_image(f"{source}:{tag}") as image:
            assert len(image.layers) == layers


def test_config_keeps_what_nobody_knows(tmp_path: Path) -> None:
    """Fields of no standard survive; only layers, history and time are lamella's."""
    source = to_file(tmp_path / "app.tar", docker_archive_since_25())
    lamella.squash(source, output=f"docker-archive:{tmp_path}/new.tar")
    old, new = json.loads(config_bytes()), validate_archive(tmp_path / "new.tar")
    changed = {"rootfs", "history"}
    assert {k: v for k, v in new.items() if k not in changed} == {
        k: v for k, v in old.items() if k not in changed
    }
    assert list(new) == list(old)


def test_opaque_root_of_a_base_image_is_no_harm(tmp_path: Path) -> None:
    """Nothing is below, so it hides nothing."""
    tars = (layer(opaque(""), ("a", b"1")), TARS[1])
    squash_and_compare(to_file(tmp_path / "app.tar", docker_archive(*tars)), tmp_path, 2)


def test_output_may_be_the_input(tmp_path: Path) -> None:
    """The new file takes the old one's name when it is whole."""
    source = f"docker-archive:{to_file(tmp_path / 'app.tar', docker_archive(*TARS))}"
    (tmp_path / "copy.tar").write_bytes((tmp_path / "app.tar").read_bytes())
    lamella.squash(source, output=source, check=True)
    assert len(validate_archive(tmp_path / "app.tar")["rootfs"]["diff_ids"]) == 1
    assert lamella.verify(source, f"{tmp_path}/copy.tar") == []
    assert set(state_of(tmp_path)) == {"app.tar", "copy.tar"}


def test_nothing_to_squash_keeps_the_config_to_the_byte(tmp_path: Path) -> None:
    """The image arrives as it is, with its ID."""
    source = to_file(tmp_path / "app.tar", docker_archive_since_25())
    result = lamella.squash(source, last=1, output=f"docker-archive:{tmp_path}/new.tar")
    assert result.id == result.source_id == str(Digest.of(config_bytes()))


def real_archives() -> Iterable[Path]:
    """List archives of other people, where they are at hand."""
    return sorted(path for path in FIXTURES.glob("*.tar*") if "no_manifest" not in path.name)


@pytest.mark.parametrize("path", real_archives(), ids=lambda path: path.name)
def test_archive_of_others(tmp_path: Path, path: Path) -> None:
    """What other tools wrote is read, squashed, and the same afterwards."""
    try:
        with lamella.open_image(str(path)) as image:
            layers = len(image.layers)
    except lamella.LamellaError as error:
        assert "choose one" in str(error) or "Docker before 1.10" in str(error)  # noqa: PT017
        return
    squash_and_compare(str(path), tmp_path, layers)
