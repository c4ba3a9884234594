from __future__ import annotations

import json
from typing import Any

import pytest

from lamella.image import Image
from lamella.layer.blob import Bytes, Layer
from lamella.rewrite import Wording, new_config, new_manifest
from lamella.selection import Selection
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import DOCKER_CONFIG, DOCKER_MANIFEST, OCI_CONFIG, OCI_MANIFEST
from tests.support.images import image, made_by
from tests.support.tars import layer

TARS = [layer(name) for name in "abcd"]
NEW = Digest.of(b"merged")
NEWER = Digest.of(b"another")


def config_of(source: Image, *ranges: range, base_steps: int | None = None, **how: Any) -> Config:  # noqa: ANN401 - see Wording
    """Return the config of an image with these ranges squashed."""
    merged = dict(zip(ranges, ([NEW], [NEWER]), strict=False))
    return new_config(source, Selection(ranges, base_steps), merged, Wording(**how))


def steps(config: Config) -> list[str]:
    """Return the history; what made no layer in brackets."""
    return [
        f"({entry['created_by']})" if entry.get("empty_layer") else entry["created_by"]
        for entry in config.history or ()
    ]


def squashed(count: int) -> str:
    """Return what the entry of a merged layer says."""
    return f"lamella squash # {count} layers"


# -- layers


def test_layers_are_replaced_in_place() -> None:
    """The merged layer stands where its range stood."""
    source = image(*TARS)
    a, b, c, d = source.diff_ids
    assert config_of(source, range(4)).diff_ids == (NEW,)
    assert config_of(source, range(1, 3)).diff_ids == (a, NEW, d)
    assert config_of(source, range(2), range(2, 4)).diff_ids == (NEW, NEWER)
    assert config_of(source, range(2, 4)).diff_ids == (a, b, NEW)
    assert c not in config_of(source, range(2, 4)).diff_ids


# -- what stays


def test_unknown_fields_stay() -> None:
    """Whatever the config says beyond what lamella knows, it goes on saying, in its order."""
    more: dict[str, Any] = {
        "zeta": [1, {"x": None}],
        "config": {"Labels": {"ü": "é"}, "Future": 1.5},
        "alpha": 1,
    }
    source = image(*TARS, **more)
    new = config_of(source, range(4))
    assert list(new.value) == list(source.config.value)
    for key in source.config.value.keys() - {"rootfs", "history"}:
        assert new.value[key] == source.config.value[key]


@pytest.mark.parametrize("value", [None, {}, [], "", 2**80, -(2**70), 0.1, "\u2028", True])
def test_odd_values_stay(value: object) -> None:
    """Big integers, fractions, nulls in fields that nobody knows: as they were."""
    source = image(*TARS, future=value)
    assert json.loads(config_of(source, range(4)).raw)["future"] == value


@pytest.mark.parametrize("value", [None, {}])
def test_empty_settings_stay(value: object) -> None:
    """`config: null` is as good as none, and stays what it was."""
    source = image(*TARS, config=value)
    assert json.loads(config_of(source, range(4)).raw)["config"] == value


def test_half_a_surrogate_pair_is_read_as_go_reads_it() -> None:
    """It becomes U+FFFD, for no UTF-8 can say it."""
    source = image(*TARS, future="\ud800")
    assert json.loads(config_of(source, range(4)).raw)["future"] == "\ufffd"


def test_other_fields_of_rootfs_stay() -> None:
    """Only its diff_ids are replaced."""
    source = image(*TARS[:1])
    value = {**source.config.value, "rootfs": {"x": 1, **source.config.value["rootfs"], "y": 2}}
    config = Config.parse(json.dumps(value).encode(), "test")
    layers = tuple(Layer(config.diff_ids[0], Bytes(TARS[0]), "layer") for _ in range(1))
    new = config_of(Image("test", config, layers), range(1))
    assert new.value["rootfs"] == {"x": 1, "type": "layers", "diff_ids": [NEW], "y": 2}


def test_same_arguments_same_bytes() -> None:
    """Nothing asks the clock."""
    source = image(*TARS, history=made_by(*"abcd"))
    assert config_of(source, range(4)).raw == config_of(source, range(4)).raw


# -- times


def test_created_is_the_source_s() -> None:
    """Unless another time is asked for."""
    source = image(*TARS, history=made_by(*"abcd"))
    assert config_of(source, range(4)).text("created") == source.config.text("created")
    now = "2030-01-02T03:04:05Z"
    new = config_of(source, range(4), created=now)
    assert (new.text("created"), (new.history or ())[-1]["created"]) == (now, now)


def test_created_that_is_absent_stays_absent() -> None:
    """No time is made up."""
    source = image(*TARS[:2], history=[{"created_by": "a"}, {}])
    value = {k: v for k, v in source.config.value.items() if k != "created"}
    source = Image("x", Config.parse(json.dumps(value).encode(), "x"), source.layers)
    new = config_of(source, range(2))
    assert "created" not in new.value
    assert new.history == ({"created_by": squashed(2)},)


def test_time_of_the_merged_entry() -> None:
    """It is as old as the newest of those it stands for."""
    source = image(*TARS, history=made_by(*"abcd"))
    entries = config_of(source, range(1, 3)).history or ()
    assert entries[1]["created"] == made_by(*"abcd")[2]["created"]


# -- history


def test_absent_history_stays_absent() -> None:
    """An image without history gets none."""
    assert "history" not in config_of(image(*TARS), range(4)).value
    assert config_of(image(*TARS, history=[]), range(4)).value["history"] == []


@pytest.mark.parametrize(
    ("ranges", "want"),
    [
        ([range(4)], [squashed(4)]),
        ([range(1, 4)], ["(e)", "a", "(f)", squashed(3)]),
        ([range(2, 4)], ["(e)", "a", "(f)", "b", "(g)", squashed(2)]),
        ([range(2)], ["(e)", squashed(2), "(g)", "c", "d", "(h)"]),
        ([range(1, 3)], ["(e)", "a", "(f)", squashed(2), "d", "(h)"]),
        ([range(2), range(2, 4)], ["(e)", squashed(2), "(g)", squashed(2)]),
    ],
)
def test_merged_history(ranges: list[range], want: list[str]) -> None:
    """One entry stands for a range and what only changed the config in between."""
    source = image(*TARS, history=made_by("(e)", "a", "(f)", "b", "(g)", "c", "d", "(h)"))
    whole = 0 if ranges == [range(4)] else None
    assert steps(config_of(source, *ranges, base_steps=whole)) == want


def test_merged_history_above_a_known_base() -> None:
    """The base's entries and one more are left."""
    source = image(*TARS, history=made_by("(e)", "a", "(f)", "b", "(g)", "c", "d", "(h)"))
    assert steps(config_of(source, range(1, 4), base_steps=2)) == ["(e)", "a", squashed(3)]


def test_kept_history() -> None:
    """All entries stay; the squashed ones made no layer any more."""
    source = image(*TARS, history=made_by("(e)", "a", "(f)", "b", "c", "d", "(h)"))
    new = config_of(source, range(1, 3), history="keep")
    assert steps(new) == ["(e)", "a", "(f)", "(b)", "(c)", squashed(2), "d", "(h)"]
    whole = config_of(source, range(4), base_steps=0, history="keep")
    assert steps(whole) == ["(e)", "(a)", "(f)", "(b)", "(c)", "(d)", "(h)", squashed(4)]


@pytest.mark.parametrize("mode", ["merge", "keep"])
@pytest.mark.parametrize("ranges", [[range(4)], [range(1, 3)], [range(2), range(2, 4)]])
def test_history_fits_the_layers(mode: str, ranges: list[range]) -> None:
    """As many entries with content as layers, whatever was squashed."""
    source = image(*TARS, history=made_by("(e)", "a", "b", "(f)", "c", "(g)", "d", "(h)"))
    new = config_of(source, *ranges, history=mode)
    assert sum(not step.startswith("(") for step in steps(new)) == len(new.diff_ids)


def test_unknown_fields_of_history_stay() -> None:
    """In every entry that is kept."""
    history = [
        {"created_by": "a", "x": {"y": 1}},
        *made_by("b", "c"),
        {"z": 2, "empty_layer": True},
    ]
    entries = config_of(image(*TARS[:3], history=history), range(1, 3)).history or ()
    assert entries[0] == history[0]
    kept = config_of(image(*TARS[:3], history=history), range(2), history="keep").history or ()
    assert kept[0] == {**history[0], "empty_layer": True}
    assert kept[-1] == history[-1]


def test_message_is_a_comment() -> None:
    """Of the merged entry."""
    source = image(*TARS, history=made_by(*"abcd"))
    entries = config_of(source, range(1, 4), message="why").history or ()
    assert [entry.get("comment") for entry in entries] == [None, "why"]


SHORT = made_by("(e)", "c", "(f)", "d")
LONG = made_by("x", "(e)", "y", *"abcd")


@pytest.mark.parametrize(
    ("history", "ranges", "want"),
    [
        # Two lowest layers without an entry: entries belong to layers 3 and 4.
        (SHORT, [range(2, 4)], ["(e)", squashed(2)]),
        (SHORT, [range(1, 3)], ["(e)", squashed(2), "(f)", "d"]),
        (SHORT, [range(2)], [squashed(2), "(e)", "c", "(f)", "d"]),
        (made_by("d"), [range(2)], ["d"]),  # layer 3 has no entry: a new one would be taken for its
        (made_by("d"), [range(2), range(2, 4)], [squashed(2)]),
        (made_by("(a)"), [range(1, 4)], ["(a)", squashed(3)]),
        (made_by("(a)"), [range(2)], ["(a)"]),
        # More entries than layers: the lowest ones have none, and must not count.
        (LONG, [range(2, 4)], ["(x)", "(e)", "(y)", "a", "b", squashed(2)]),
        (LONG, [range(2)], ["(x)", "(e)", "(y)", squashed(2), "c", "d"]),
    ],
)
@pytest.mark.parametrize("mode", ["merge", "keep"])
def test_history_that_does_not_fit_is_matched_from_the_top(
    mode: str, history: list[dict[str, Any]], ranges: list[range], want: list[str]
) -> None:
    """Entries stay with their layers, and are never more than these: Docker loads the image."""
    source = image(*TARS, history=history, name="app")
    new = config_of(source, *ranges, history=mode)
    if mode == "merge":
        assert steps(new) == want
    made = [step for step in steps(new) if not step.startswith("(")]
    assert made == [step for step in want if not step.startswith("(")]
    assert len(made) <= len(new.diff_ids)
    assert steps(config_of(source, range(4), base_steps=0)) == [squashed(4)]


# -- manifests


def descriptors() -> list[Descriptor]:
    """Return the layers of a new manifest."""
    return [Descriptor("type", NEW, 7, {"urls": ["u"]})]


def test_manifest_without_a_source_is_oci() -> None:
    """With its media type."""
    config = image(*TARS).config
    made = new_manifest(None, config, descriptors())
    assert made.media_type == OCI_MANIFEST
    assert (made.config.media_type, made.config.digest) == (OCI_CONFIG, config.digest)
    assert made.config.size == len(config.raw)
    assert made.value["schemaVersion"] == 2
    assert made.layers[0].raw == {"mediaType": "type", "digest": NEW, "size": 7, "urls": ["u"]}


@pytest.mark.parametrize(
    ("dialect", "config_type"), [(DOCKER_MANIFEST, DOCKER_CONFIG), (OCI_MANIFEST, OCI_CONFIG)]
)
def test_manifest_keeps_its_dialect_and_what_is_unknown(dialect: str, config_type: str) -> None:
    """Docker's stays Docker's; annotations and unknown fields stay."""
    value = {
        "schemaVersion": 2,
        "mediaType": dialect,
        "config": {"digest": NEW, "size": 1, "data": "e30=", "annotations": {"a": "b"}},
        "layers": [],
        "annotations": {"c": "d"},
        "subject": {"digest": NEWER, "size": 3, "mediaType": "x"},
    }
    source = Manifest.parse(json.dumps(value).encode(), "test")
    made = new_manifest(source, image(*TARS).config, descriptors())
    assert (made.media_type, made.config.media_type) == (dialect, config_type)
    assert made.config.annotations == {"a": "b"}
    assert "data" not in made.config.raw
    assert (made.value["annotations"], made.value["subject"]) == (
        value["annotations"],
        value["subject"],
    )


def test_manifest_of_oci_1_0_gets_its_media_type() -> None:
    """One without is OCI's."""
    value = {"schemaVersion": 2, "config": {"digest": NEW, "size": 1}, "layers": []}
    source = Manifest.parse(json.dumps(value).encode(), "test")
    assert new_manifest(source, image(*TARS).config, descriptors()).media_type == OCI_MANIFEST
