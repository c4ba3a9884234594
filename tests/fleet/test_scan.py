"""Images that lie somewhere: each layer is read once, and what a plan promises is kept."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import lamella
from lamella.analysis.facts import lay_image
from lamella.errors import MalformedImage, UsageError
from lamella.fleet.best import choose_plan
from lamella.fleet.plan_file import format_plan, read_plan
from lamella.fleet.scan import ends_of_bases, scan_fleet
from lamella.spec.digest import Digest
from lamella.transport.environment import Environment
from tests.fleet.catalogues import of_tars
from tests.odd.answers import Answer, Asked, Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.images import docker_archive, made_by
from tests.support.machine import patience
from tests.support.progress import Recorder
from tests.support.tars import device, layer, whiteout
from tests.transport.forms import layout_of
from tests.transport.registry.faulty import front_of

BASE = layer("etc/", ("etc/os", b"x" * 3000), ("etc/cache", b"c" * 9000))
CLEAN = layer(whiteout("etc/cache"), "usr/", ("usr/lib", b"l" * 4000))
FLEET = {
    "one": (BASE, CLEAN, layer("app/", ("app/one", b"1" * 4000))),
    "two": (BASE, CLEAN, layer("app/", ("app/two", b"2" * 2000)), layer(whiteout("app/two"), "b")),
    "base": (BASE,),
    "old": (BASE, layer("etc/", ("etc/cache", b"d" * 6000)), layer(("z", b"z" * 100))),
    "other": (layer("other/", ("other/x", b"o" * 700)), CLEAN),
}


@pytest.fixture
def fleet(tmp_path: Path) -> list[str]:
    """Some images in archives."""
    for name, tars in FLEET.items():
        steps = made_by(*(f"RUN {number}" for number, _ in enumerate(tars)))
        (tmp_path / f"{name}.tar").write_bytes(docker_archive(*tars, tags=[name], history=steps))
    return [f"docker-archive:{tmp_path / name}.tar" for name in FLEET]


def test_sizes_are_what_analysis_tells(fleet: list[str]) -> None:
    """Of each layer that there may be."""
    scanned = scan_fleet(fleet, None, Environment())
    told = of_tars(list(FLEET.values()))
    assert [n.chain_id for n in scanned.catalogue.nodes] == [
        n.chain_id for n in told.catalogue.nodes
    ]
    assert list(map(list, scanned.rows)) == [told.rows[n] for n in range(len(scanned.rows))]
    assert scanned.catalogue.images[1].steps == ("RUN 0", "RUN 1", "RUN 2", "RUN 3")
    assert scanned.catalogue.nodes[0].dead == 0  # of the base itself nothing is
    assert scanned.catalogue.nodes[1].dead == 0


def _blobs(layout: Path) -> dict[str, int]:
    """Return the sizes of all layers that the manifests of a layout name."""

    def read(digest: str) -> Any:  # noqa: ANN401 - JSON
        return json.loads((layout / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes())

    index = json.loads((layout / "index.json").read_bytes())
    layers = [one for entry in index["manifests"] for one in read(entry["digest"])["layers"]]
    return {one["digest"]: one["size"] for one in layers}


@pytest.mark.parametrize("limit", [None, 2, 1])
def test_what_is_promised_is_what_is_stored(
    fleet: list[str], tmp_path: Path, limit: int | None
) -> None:
    """A plan carried out: the layers of all images have as many bytes as it says, to the byte."""
    scanned = scan_fleet(fleet, None, Environment())
    plan = choose_plan(scanned.catalogue, scanned.sizes, max_layers=limit)
    assert plan.stored_after < plan.stored_before or limit
    for number, one in enumerate(read_plan(format_plan(plan), "plan")):
        result = lamella.squash(
            one.image,
            layers=one.squash or "1-1",
            output=f"oci:{tmp_path / 'out'}:{number}",
            compression="none",
            check=True,
        )
        assert (result.bytes_after, result.layers_after) == (one.bytes_after, one.layers_after)
        assert (result.source_id, result.bytes_before) == (one.id, one.bytes_before)
    stored = _blobs(tmp_path / "out")
    assert plan.perhaps_equal == 0
    assert sum(stored.values()) == plan.stored_after
    assert stored.keys() >= plan.kept


def test_an_image_and_its_squashed_copy_are_stored_once(tmp_path: Path) -> None:
    """The new layer of the one is there already: less is stored than is promised, as it is told."""
    whole, slim = tmp_path / "whole.tar", f"docker-archive:{tmp_path / 'slim.tar'}"
    whole.write_bytes(docker_archive(BASE, CLEAN))
    lamella.squash(whole, output=slim, tag="slim")
    scanned = scan_fleet([str(whole), slim], None, Environment())
    plan = choose_plan(scanned.catalogue, scanned.sizes)
    made = plan.images[1].after
    assert (plan.images[0].layers, plan.perhaps_equal) == (("1-2",), made)
    assert plan.stored_after - plan.perhaps_equal == made


def _count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the images of which layers are read from now on."""
    seen: list[str] = []

    def noted(image: lamella.Image, opener: Any) -> Any:  # noqa: ANN401 - handed on
        seen.append(image.name)
        return lay_image(image, opener)

    monkeypatch.setattr("lamella.fleet.scan.lay_image", noted)
    return seen


class _Breaking(Recorder):
    """Breaks off when it is told of a phase."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self._phase = phase

    def phase(self, name: str, total: int | None = None) -> None:
        super().phase(name, total)
        if name == self._phase:
            raise KeyboardInterrupt


def _remembering(folder: Path) -> Environment:
    env = Environment()
    return replace(env, registry=replace(env.registry, cache=str(folder)))


def test_what_is_known_is_not_read_again(
    fleet: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is broken off goes on from there, and ends as it would have ended."""
    env, seen = _remembering(tmp_path / "cache"), _count_reads(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        scan_fleet(fleet, None, replace(env, progress=_Breaking("image 3 of 5")))
    assert len(seen) == 2
    again = scan_fleet(fleet, None, env)
    assert (len(seen), again.read) == (5, 3)
    assert again == replace(scan_fleet(fleet, None, Environment()), read=3)
    assert scan_fleet(fleet, None, env).read == 0


def test_damage_to_what_is_remembered_does_no_harm(fleet: list[str], tmp_path: Path) -> None:
    """It is read again."""
    env = _remembering(tmp_path / "cache")
    found = scan_fleet(fleet, None, env)
    for number, path in enumerate(sorted((tmp_path / "cache").glob("ranges-*"))):
        content = bytearray(path.read_bytes())
        content[-1 - number] ^= 1
        path.write_bytes(bytes(content[: None if number % 2 else -1]))
    assert scan_fleet(fleet, None, env) == found


def test_nothing_is_left_where_nothing_may_be_remembered(fleet: list[str], tmp_path: Path) -> None:
    """Within the run it is, in a folder that is gone then."""
    (tmp_path / "tmp").mkdir()
    scan_fleet(fleet, None, Environment(tmp_dir=tmp_path / "tmp"))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_packed_layer_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the second image that has it, its headers are known."""
    unpacked: list[Digest] = []
    keep = lamella.layer.spool.Spool.keep  # type: ignore[attr-defined]

    def kept(self: Any, *args: Any) -> Any:  # noqa: ANN401 - handed on
        found = keep(self, *args)
        unpacked.append(found[1])
        return found

    monkeypatch.setattr("lamella.layer.spool.Spool.keep", kept)
    references = []
    for name in ("one", "two"):
        for path, content in layout_of(FLEET[name], compression="gzip").all_files().items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_bytes(content)
        references.append(f"oci:{tmp_path / name}")
    scanned = scan_fleet(references, None, Environment())
    assert sorted(unpacked) == sorted({Digest.of(tar) for n in ("one", "two") for tar in FLEET[n]})
    assert scanned.rows == scan_fleet(references, None, Environment()).rows


def test_what_images_share_is_kept_in_memory_once(tmp_path: Path) -> None:
    """An image with many layers has thousands of ranges; siblings have nearly the same."""
    tars = [layer((f"{number}", b"x" * number)) for number in range(80)]
    fleet = []
    for number in range(16):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(docker_archive(*tars, layer((f"own-{number}", b""))))
        fleet.append(str(path))
    env = _remembering(tmp_path / "cache")
    scan_fleet(fleet, None, env)

    def peak(references: list[str]) -> int:
        tracemalloc.start()
        scan_fleet(references, None, env)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    ranges = len(tars) ** 2 // 2
    assert peak(fleet) - peak(fleet[:10]) < 6 * ranges * 20


def test_the_same_image_by_two_names_is_read_once(fleet: list[str]) -> None:
    """And both names are in the catalogue."""
    scanned = scan_fleet([fleet[0], fleet[0].removeprefix("docker-archive:")], None, Environment())
    assert (scanned.read, scanned.catalogue.ends[0]) == (1, scanned.catalogue.ends[1])


def test_an_image_with_a_device_that_stands_for_a_whiteout_stays(tmp_path: Path) -> None:
    """Nobody can merge its layers; the others are planned for."""
    (tmp_path / "a.tar").write_bytes(docker_archive(BASE, layer(device("d", 0, 0)), CLEAN))
    scanned = scan_fleet([str(tmp_path / "a.tar")], None, Environment())
    plan = choose_plan(scanned.catalogue, scanned.sizes)
    assert "character device" in scanned.catalogue.images[0].fixed
    assert plan.images[0].layers == ()


def test_a_device_like_any_other_is_no_matter(tmp_path: Path) -> None:
    """Images have ``/dev/null``."""
    (tmp_path / "a.tar").write_bytes(docker_archive(BASE, layer(device("d", 1, 3)), CLEAN))
    scanned = scan_fleet([str(tmp_path / "a.tar")], None, Environment())
    assert choose_plan(scanned.catalogue, scanned.sizes).images[0].layers == ("1-3",)


def test_an_image_without_layers_is_told(tmp_path: Path) -> None:
    """There is nothing to plan."""
    (tmp_path / "a.tar").write_bytes(docker_archive())
    with pytest.raises(MalformedImage, match="it has no layers"):
        scan_fleet([str(tmp_path / "a.tar")], None, Environment())


def test_what_can_not_be_read_is_told_and_left_out(fleet: list[str], tmp_path: Path) -> None:
    """One image of many does not stop the others; each is named, with the reason."""
    (tmp_path / "bad.tar").write_bytes(b"no image")
    names = [f"docker-archive:{tmp_path}/none.tar", fleet[0], str(tmp_path / "bad.tar"), fleet[1]]
    scanned = scan_fleet(names, None, Environment())
    assert scanned.catalogue == scan_fleet(fleet[:2], None, Environment()).catalogue
    assert [(one.name, one.exit_code) for one in scanned.unread] == [(names[0], 7), (names[2], 1)]
    assert "expected an image archive" in scanned.unread[1].message


def test_if_none_can_be_read_that_is_the_error(tmp_path: Path) -> None:
    """That of a registry before others, for it may pass; the others are told, too."""
    names = [str(tmp_path / "none.tar"), "docker://127.0.0.1:1/a:1"]
    with pytest.raises(lamella.ImageNotFound):
        scan_fleet(names[:1], None, Environment())
    told = Recorder()
    with pytest.raises(lamella.EngineError):
        scan_fleet(names, None, Environment(progress=told))
    assert [note.partition(": ")[0] for note in told.notes] == names[:1]


def test_who_cancels_ends_it(fleet: list[str]) -> None:
    """That is no fault of an image."""
    env = Environment()

    class Cancelling(Recorder):
        def phase(self, name: str, total: int | None = None) -> None:
            del total
            if name == "image 2 of 5":
                env.cancel()

    with pytest.raises(lamella.Cancelled):
        lamella.plan(fleet, env=replace(env, progress=Cancelling()))


def test_a_base_is_named_or_given_by_its_chain_id(fleet: list[str]) -> None:
    """What it is that no image is built on is told."""
    env = Environment()
    catalogue = scan_fleet(fleet[:2], None, env).catalogue
    base = catalogue.nodes[0].chain_id
    assert ends_of_bases([fleet[2], str(base)], catalogue, None, env) == [base, base]
    with pytest.raises(UsageError, match=r"`keep` .*other\.tar: none of these images is built on"):
        ends_of_bases([fleet[4]], catalogue, None, env)


def test_images_are_looked_up_several_at_a_time(fleet: list[str]) -> None:
    """Each waits here until another is being asked for, too; the order is that of the names."""
    together = threading.Barrier(2)
    with registry_in_memory(Oddly(0)) as registry, front_of(registry.host) as front:
        names = [f"docker://{front.host}/team/app:{number}" for number in range(4)]
        for archive, name in zip(fleet, names, strict=False):
            lamella.squash(archive, layers="1-1", output=name)
        front.add(
            "GET .*/manifests/.*",
            times=len(names),
            headers={"X-Nothing": "1"},
            then=lambda: together.wait(patience(20)),
        )
        scanned = scan_fleet(names, None, Environment())
    assert [image.name for image in scanned.catalogue.images] == names


def test_each_layer_is_fetched_once_from_a_registry(
    fleet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all images, though nothing is remembered from one run to the next."""
    with registry_in_memory(Oddly(0)) as registry:
        names = [f"docker://{registry.host}/team/app:{name}" for name in FLEET]
        for archive, name in zip(fleet, names, strict=True):
            lamella.squash(archive, layers="1-1", output=name)
        asked: Counter[str] = Counter()
        answer = MemoryRegistry.answer

        def noted(self: MemoryRegistry, request: Asked) -> Answer:
            asked[request.path.rpartition("/")[2]] += request.method == "GET"
            return answer(self, request)

        monkeypatch.setattr(MemoryRegistry, "answer", noted)
        scanned = scan_fleet(names, None, Environment())
        layers = {
            layer["digest"]
            for _, raw in registry.manifests.values()
            for layer in json.loads(raw)["layers"]
        }
    assert {digest: asked[digest] for digest in layers} == dict.fromkeys(layers, 1)
    assert scanned.rows == scan_fleet(fleet, None, Environment()).rows
    assert scanned.catalogue.images[0].digest.startswith("sha256:")
