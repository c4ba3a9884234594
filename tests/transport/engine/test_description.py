"""Which history entries made a layer, told by sizes, commands and older images."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamella.spec.config import Config
from lamella.transport.engine.description import History, describe_config, infer_layers


def steps(*pairs: tuple[str, int], ids: dict[int, str] | None = None) -> History:
    """Return a history, oldest step first: what each did, and how many bytes it added."""
    answer: list[dict[str, Any]] = [
        {
            "Id": (ids or {}).get(number, "<missing>"),
            "Created": 1_700_000_000 + number,
            "CreatedBy": step,
            "Size": size,
            "Comment": "",
            "Tags": None,
        }
        for number, (step, size) in enumerate(pairs)
    ]
    return History(answer[::-1])


def never(image_id: str) -> int | None:
    """Stand in for an engine that should not be asked."""
    raise AssertionError(image_id)


def test_sizes_alone_tell() -> None:
    """As many steps with bytes as layers: nothing is asked."""
    history = steps(("ADD file:1 in / ", 9), ("CMD", 0), ("RUN x", 5), ids={0: "sha256:aa"})
    assert history.layers(2, never) == [True, False, True]


def test_all_empty_steps_are_layers_if_there_are_that_many() -> None:
    """Three steps, three layers."""
    history = steps(("RUN a", 0), ("ENV a=b", 0), ("RUN c", 1))
    assert history.layers(3, never) == [True, True, True]


@pytest.mark.parametrize(
    ("likely", "unlikely"),
    [
        ("/bin/sh -c rm -rf /var/cache", "/bin/sh -c #(nop)  ENV A=b"),
        ("RUN /bin/sh -c rm /x # buildkit", "ENV A=b"),
        ("|1 A=b /bin/sh -c rm /x", "/bin/sh -c #(nop)  ARG A"),
        ("RUN |1 A=b /bin/sh -c rm /x # buildkit", "ARG A=b"),
        ("/bin/bash -o pipefail -c rm /x", '/bin/sh -c #(nop)  CMD ["rm"]'),
        ("COPY dir:1 in /a ", "/bin/sh -c #(nop)  LABEL a=b"),
        ("/bin/sh -c #(nop) COPY file:1 in /a ", "/bin/sh -c #(nop)  EXPOSE 80"),
        ("WORKDIR /a", "ENTRYPOINT [x]"),
        ("/bin/sh -c #(nop) WORKDIR /a", "/bin/sh -c #(nop)  USER a"),
        ("RUN /bin/sh -c true # buildkit", "WORKDIR /a"),
        ("bazel build ...", "VOLUME [/a]"),
        ("", "STOPSIGNAL 9"),
        ("RUN x", "bazel build ..."),
    ],
)
def test_among_empty_steps_the_likelier_made_the_layer(likely: str, unlikely: str) -> None:
    """Whatever order they are in."""
    assert infer_layers([3, 0, 0], ["", unlikely, likely], 2) == [True, False, True]
    assert infer_layers([3, 0, 0], ["", likely, unlikely], 2) == [True, True, False]


def test_older_images_tell_which_of_two_alike() -> None:
    """`RUN true` makes no layer with the classic builder, `RUN rm` does; both have no bytes."""
    pairs = (("ADD", 9), ("RUN a", 0), ("RUN b", 0), ("RUN c", 0), ("ENV", 0))
    counts = {"sha256:01": 1, "sha256:02": 2, "sha256:03": 3}
    history = steps(*pairs, ids={i: f"sha256:0{i}" for i in counts_of(counts)})
    assert history.layers(3, counts.get) == [True, False, True, True, False]


def counts_of(counts: dict[str, int]) -> list[int]:
    """Positions that IDs like sha256:02 stand for."""
    return [int(image_id[-1]) for image_id in counts]


def test_an_older_image_may_be_gone() -> None:
    """It is removed between two questions."""
    history = steps(("RUN a", 0), ("ENV a", 0), ids={0: "sha256:00"})
    assert history.layers(1, lambda _: None) == [True, False]


def test_ids_are_in_docker_s_form() -> None:
    """Podman's have no prefix."""
    history = steps(("a", 0), ("b", 0), ("c", 0), ids={1: "sha256:11", 2: "22"})
    assert history.ids == (None, "sha256:11", "sha256:22")


def test_the_description_is_a_config() -> None:
    """What the engine says of an image, in a config's terms."""
    diff_id = f"sha256:{'1' * 64}"
    inspected = {
        "Os": "linux",
        "Architecture": "arm",
        "Variant": "v7",
        "Created": "2024-01-02T03:04:05Z",
        "Config": {"Env": ["A=b"]},
        "RootFS": {"Type": "layers", "Layers": [diff_id]},
    }
    raw = describe_config(inspected, steps(("ADD", 9), ("ENV", 0)), [True, False])
    config = Config.parse(raw, "test")
    assert list(config.diff_ids) == [diff_id]
    assert config.text("created") == "2024-01-02T03:04:05Z"
    assert (config.text("variant"), config.value["config"]) == ("v7", {"Env": ["A=b"]})
    assert config.history == (
        {"created_by": "ADD", "created": "2023-11-14T22:13:20Z"},
        {"created_by": "ENV", "created": "2023-11-14T22:13:21Z", "empty_layer": True},
    )


def test_an_image_without_history_or_layers() -> None:
    """`FROM scratch` with labels alone, and images of odd tools."""
    raw = describe_config({"RootFS": {"Layers": None}}, History([]), [])
    assert Config.parse(raw, "test").diff_ids == ()
    assert "history" not in json.loads(raw)


@pytest.mark.parametrize("seconds", [-62135596800, 0])
def test_times_that_say_nothing(seconds: int) -> None:
    """Go's zero time, and 1970."""
    history = History([{"Created": seconds, "CreatedBy": "x", "Size": 1}])
    value = json.loads(describe_config({}, history, [True]))
    assert value["history"][0]["created"] in {"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"}
