"""Secrets in documents are replaced wherever they lie, and nothing else is."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.analysis.secrets.allowed import Allowed
from lamella.analysis.secrets.config import allowed_values, config_secrets
from lamella.image import Image
from lamella.restate.redact import REDACTED, Redaction
from lamella.spec.config import Config
from tests.analysis.secrets.examples import EXAMPLES
from tests.support.images import image
from tests.support.tars import layer

LIKELY = Redaction(likely=True)
SECRET = "hunter2-hunter2"


def redacted(value: object, redaction: Redaction = LIKELY) -> Any:  # noqa: ANN401 - JSON
    """Return a document without secrets, of which those in it alone are known."""
    return redaction.apply(value, redaction.values_in([value]))


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"Env": ["A=b", "DB_PASSWORD=x"]}, {"Env": ["A=b", "DB_PASSWORD=***"]}),
        ({"Env": ["URL=https://me:pw@host/"]}, {"Env": ["URL=https://me:***@host/"]}),
        ({"Labels": {"a": "b", "api_key": "x"}}, {"Labels": {"a": "b", "api_key": "***"}}),
        ({"annotations": {"org.x.token": "x"}}, {"annotations": {"org.x.token": "***"}}),
        ({"Cmd": ["app", "--token", "x", "y"]}, {"Cmd": ["app", "--token", "***", "y"]}),
        ({"Cmd": ["app", "--token=x"]}, {"Cmd": ["app", "--token=***"]}),
        ({"OnBuild": ["ENV TOKEN=x"]}, {"OnBuild": ["ENV TOKEN=***"]}),
        (
            {"Healthcheck": {"Test": ["CMD-SHELL", "curl -u a --password x b"]}},
            {"Healthcheck": {"Test": ["CMD-SHELL", "curl -u a --password *** b"]}},
        ),
        ({"history": [{"comment": "TOKEN=x"}]}, {"history": [{"comment": "TOKEN=***"}]}),
        ("/bin/sh -c #(nop)  ENV TOKEN=a b", "/bin/sh -c #(nop)  ENV TOKEN=***"),
        ("ENV TOKEN=a A=b", "ENV TOKEN=*** A=b"),
        ("ENV TOKEN a b", "ENV TOKEN ***"),
        ("|2 A=b TOKEN=x y /bin/sh -c make", "|2 A=b TOKEN=*** /bin/sh -c make"),
        (
            "RUN |1 TOKEN=x /bin/sh -c make # buildkit",
            "RUN |1 TOKEN=*** /bin/sh -c make # buildkit",
        ),
    ],
)
def test_likely_secrets_are_gone(value: object, left: object) -> None:
    """Wherever documents have names with values; they are short here, so found by name alone."""
    assert redacted(value) == left


def test_build_arguments_that_cannot_be_told_apart_all_go() -> None:
    """A value may look like the next argument: then no part of a secret may stay."""
    assert redacted("|2 TOKEN=a B=c D=e /bin/sh -c x") == "|2 TOKEN=*** B=*** D=*** /bin/sh -c x"
    assert redacted("|2 A=a B=c D=e /bin/sh -c x") == "|2 A=a B=c D=e /bin/sh -c x"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"Env": ["NAME=x", "name=x", "NAME_2=x"]}, {"Env": ["NAME=***", "name=x", "NAME_2=x"]}),
        ({"Labels": {"NAME": "x"}}, {"Labels": {"NAME": "***"}}),
        ({"annotations": {"NAME": "x", "a": "x"}}, {"annotations": {"NAME": "***", "a": "x"}}),
        ("RUN NAME='a b' make", "RUN NAME=*** make"),
        ("ENV NAME a b", "ENV NAME ***"),
        ("ENV B=c NAME=a b C=d", "ENV B=c NAME=*** C=d"),
        ("|1 NAME=x /bin/sh -c make", "|1 NAME=*** /bin/sh -c make"),
        ({"Cmd": ["--NAME", "x"]}, {"Cmd": ["--NAME", "***"]}),
    ],
)
def test_values_of_names_that_a_user_gives_are_gone(value: object, left: object) -> None:
    """Of just these names; likely secrets are not asked for and stay."""
    named = Redaction(names=("NAME",))
    assert redacted(value, named) == left
    assert redacted({"Env": ["TOKEN=x"]}, named) == {"Env": ["TOKEN=x"]}


def test_a_secret_is_gone_wherever_else_it_is() -> None:
    """In other words, in other documents, in names, and as JSON in a text."""
    odd = f'{SECRET}"\\ü'
    config = {"Env": [f"TOKEN={odd}"], "Cmd": ["x", f"see {odd}"], odd: [odd, {"y": f"<{odd}>"}]}
    inner = [json.dumps({"it": odd}, ensure_ascii=ascii_only) for ascii_only in (True, False)]
    manifest = {"annotations": {"a": inner[0], "b": inner[1], odd: "b"}}
    secrets = LIKELY.values_in([config, manifest])
    for document in (config, manifest):
        left = json.dumps(LIKELY.apply(document, secrets), ensure_ascii=False)
        assert SECRET not in left
    assert LIKELY.apply(config, secrets)["Cmd"] == ["x", "see ***"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("one-secret", "***"),
        ("one-secret-two", "***"),
        ("one-secret-two-three", "***"),
        ("one-secreone-secret!", "one-secre***!"),
        ("one-secretone-secret", "******"),
        ("one-secre", "one-secre"),
    ],
)
def test_no_part_of_a_secret_is_left(text: str, left: str) -> None:
    """One may begin with another, or overlap it."""
    secrets = ("one-secret", "one-secret-two", "secret-two-three")
    value = {"Env": [f"TOKEN_{n}={secret}" for n, secret in enumerate(secrets)], "User": text}
    assert redacted(value)["User"] == left


def test_many_secrets_cost_no_more_than_few() -> None:
    """A config of some MB may have 10,000: 16 times as much takes no 64 times as long."""

    def seconds(count: int) -> float:
        secrets = frozenset(f"secret-{n:06d}" for n in range(count))
        labels = {f"l{n}": f"see secret-{n:06d}" for n in range(count)}
        start = time.process_time()
        left = LIKELY.apply({"Labels": labels}, secrets)
        assert set(left["Labels"].values()) == {"see ***"}
        return time.process_time() - start

    assert seconds(8000) < 64 * max(seconds(500) for _ in range(3))


@pytest.mark.parametrize(
    "secret", ["1234567", "/run/secrets/db", "$FROM_ELSEWHERE", "${A}", "***", "(hidden)"]
)
def test_what_is_short_or_stands_for_a_secret_is_no_secret_elsewhere(secret: str) -> None:
    """Seven characters are in other words by chance; a path and a variable tell nothing."""
    value = {"Env": [f"TOKEN={secret}"], "Cmd": ["cat", secret]}
    assert redacted(value) == {"Env": ["TOKEN=***"], "Cmd": ["cat", secret]}


def test_a_plain_word_is_no_secret_elsewhere() -> None:
    """A weak password is often the name of the program, of its user, or a part of its paths."""
    runs = {"Cmd": ["postgres"], "User": "postgres", "Volumes": {"/var/lib/postgresql": {}}}
    env = [
        "PATH=/usr/lib/postgresql/16/bin:/bin",
        "POSTGRES_PASSWORD=postgres",
        "PIN_TOKEN=20240101",
    ]
    made = "ENV POSTGRES_PASSWORD=postgres # 20240101"
    left = redacted({**runs, "Env": env, "history": [{"created_by": made}]})
    assert {key: left[key] for key in runs} == runs
    assert left["Env"] == [env[0], "POSTGRES_PASSWORD=***", "PIN_TOKEN=***"]
    assert "postgres" not in left["history"][0]["created_by"]


def test_digests_and_types_are_no_places_for_secrets() -> None:
    """A document must go on saying what it is, whatever a secret looks like."""
    digest = f"sha256:{'0' * 64}"
    structure = {
        "mediaType": "application/json",
        "digest": digest,
        "size": 12345678,
        "platform": {"os": "linux"},
    }
    value = {**structure, "Env": [f"TOKEN={'0' * 64}", "SECRET=application/json"]}
    assert {key: redacted(value)[key] for key in structure} == structure
    rootfs = {"type": "layers", "diff_ids": [digest]}
    assert redacted({**value, "rootfs": rootfs})["rootfs"] == rootfs
    # but a label of such a name is a user's
    assert redacted({"Labels": {"digest": SECRET}, "Env": [f"TOKEN={SECRET}"]})["Labels"] == {
        "digest": REDACTED
    }


def test_nothing_asked_for_is_nothing_done() -> None:
    """The very same value."""
    value = {"Env": [f"TOKEN={SECRET}"]}
    assert redacted(value, Redaction()) is value


def test_what_stands_for_a_secret_meanwhile_is_none() -> None:
    """A value of just that character is no secret."""
    value = {"Env": ["A=\0"], "Labels": {"a": "\0"}}
    assert redacted(value) == value


WORDS = st.sampled_from(
    [
        *("TOKEN", "DB_PASSWORD", "NAME", "A", "--token", "/bin/sh -c", "|2", "RUN", "ENV", "ARG"),
        *(
            "=",
            " ",
            ":",
            '"',
            "'",
            "\\",
            ",",
            "[",
            "]",
            "https://",
            "@",
            "#(nop)",
            "\n",
            "\0",
            "$A",
        ),
        *(SECRET, "hunter2", "***", "(hidden)", "ü", "x", "{", "}"),
    ]
)
TEXTS = st.lists(WORDS, max_size=12).map("".join)
NAMES = TEXTS | st.sampled_from(
    ["Env", "Labels", "annotations", "Cmd", "config", "history", "created_by", "digest", "data"]
)
DOCUMENTS = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
REDACTIONS = st.sampled_from(
    [
        LIKELY,
        Redaction(names=("NAME",)),
        Redaction(likely=True, names=("NAME", "A")),
        Redaction(likely=True, names=("NAME",), kept=frozenset({SECRET, "x", f"x {SECRET}"})),
    ]
)


@given(DOCUMENTS, REDACTIONS)
def test_done_again_it_changes_nothing(document: object, redaction: Redaction) -> None:
    """Whatever a document says."""
    once = redacted(document, redaction)
    assert redacted(once, redaction) == once


@given(DOCUMENTS, st.sampled_from(["Env", "Labels"]))
def test_no_secret_of_a_setting_is_left(document: object, where: str) -> None:
    """Nor in the document's other parts."""
    setting: object = [f"TOKEN={SECRET}"] if where == "Env" else {"token": SECRET}
    left = json.dumps(redacted({"x": document, where: setting}))
    assert SECRET not in left


def test_every_kind_is_gone() -> None:
    """Tokens that are known by their form, in each place; nothing is found after it."""
    texts = [text for _, text in EXAMPLES if "\n" not in text]
    settings = {f"THING{number}": text for number, text in enumerate(texts)}
    half = len(texts) // 2
    steps = [f"|1 X={text} /bin/sh -c make" for text in texts[:half]]
    steps += [f"/bin/sh -c use '{text}'" for text in texts[half:]]
    made = image(
        layer("a"),
        config={"Env": [f"{name}={text}" for name, text in settings.items()], "Labels": settings},
        history=[{"created_by": step, "empty_layer": True} for step in steps],
    )
    assert len(config_secrets(made)) == len(texts)
    for document in (dict(made.config.value), {"history": made.config.value["history"]}):
        raw = json.dumps(redacted(document))
        assert [text for text in texts if text in raw] == []
    new = json.dumps(redacted(dict(made.config.value))).encode()
    assert config_secrets(replace(made, config=Config.parse(new, "new"))) == ()


# -- what a user allows


def kept(value: dict[str, Any], *lines: str) -> Any:  # noqa: ANN401 - JSON
    """Return a config, with its annotations, redacted but for what lines allow."""
    allowed = Allowed.parse(lines)
    found = allowed_values(value, value.get("annotations"), allowed)
    assert allowed.unused() == []
    return redacted(value, Redaction(likely=True, kept=found))


TOKEN = next(text for kind, text in EXAMPLES if kind == "GitHub token")
URL = f"postgres://app:{SECRET}@db/app"


@pytest.mark.parametrize(
    ("value", "line", "left"),
    [
        (
            {"config": {"Env": [f"TOKEN={SECRET}", "PWD_TOKEN=x"]}},
            "env:TOKEN",
            {"config": {"Env": [f"TOKEN={SECRET}", "PWD_TOKEN=***"]}},
        ),
        (
            {"config": {"Labels": {"a.token": "x y", "b.token": "z"}}},
            "label:a.*",
            {"config": {"Labels": {"a.token": "x y", "b.token": "***"}}},
        ),
        (
            {"annotations": {"a.token": "x", "b.token": "y"}},
            "annotation:a.token",
            {"annotations": {"a.token": "x", "b.token": "***"}},
        ),
        (
            {"history": [{"created_by": f"|2 A_TOKEN={SECRET} B_TOKEN=y /bin/sh -c make"}]},
            "arg:A_TOKEN",
            {"history": [{"created_by": f"|2 A_TOKEN={SECRET} B_TOKEN=*** /bin/sh -c make"}]},
        ),
        (
            {"history": [{"created_by": "ARG A_TOKEN=x"}, {"created_by": "ARG B_TOKEN=y"}]},
            "arg:A_TOKEN",
            {"history": [{"created_by": "ARG A_TOKEN=x"}, {"created_by": "ARG B_TOKEN=***"}]},
        ),
        (
            {"history": [{"created_by": "a --token x1"}, {"created_by": "b --token y1"}]},
            "history:1",
            {"history": [{"created_by": "a --token x1"}, {"created_by": "b --token ***"}]},
        ),
        (
            {"config": {"Cmd": ["a", "--token", "x1"], "Shell": ["b", "--token", "y1"]}},
            "config:Cmd",
            {"config": {"Cmd": ["a", "--token", "x1"], "Shell": ["b", "--token", "***"]}},
        ),
        (
            {"config": {"Env": [f"DB={URL}", f"A_TOKEN={SECRET}2"]}},
            "env:DB",
            {"config": {"Env": [f"DB={URL}", "A_TOKEN=***"]}},
        ),
        (
            {"config": {"Env": [f"A_TOKEN={TOKEN}", f"B_TOKEN={SECRET}"]}},
            "kind:GitHub token",
            {"config": {"Env": [f"A_TOKEN={TOKEN}", "B_TOKEN=***"]}},
        ),
        (
            {"config": {"Env": [f"A_TOKEN={TOKEN}", f"B_TOKEN={SECRET}"]}},
            "kind:token",
            {"config": {"Env": ["A_TOKEN=***", f"B_TOKEN={SECRET}"]}},
        ),
        (
            {"config": {"Env": [f"AUTH_TOKEN=Bearer {TOKEN}", "X_TOKEN=z"]}},
            "kind:GitHub token",
            {"config": {"Env": [f"AUTH_TOKEN=Bearer {TOKEN}", "X_TOKEN=***"]}},
        ),
        (
            {"history": [{"created_by": f"curl -H 'Authorization: {TOKEN}' --token x1"}]},
            "kind:GitHub token",
            {"history": [{"created_by": f"curl -H 'Authorization: {TOKEN}' --token ***"}]},
        ),
    ],
)
def test_what_is_allowed_stays(value: dict[str, Any], line: str, left: object) -> None:
    """By where it is, or by what it looks like; what is beside it goes."""
    assert kept(value, line) == left


def test_an_allowed_value_stays_wherever_it_is_repeated() -> None:
    """With quotes or without, in a command, in a list, as an argument."""
    value = {
        "config": {
            "Env": [f"DEMO_TOKEN={SECRET} 1"],
            "Cmd": ["app", "--token", f"{SECRET} 1"],
            "Labels": {"demo.token": f"{SECRET} 1"},
        },
        "history": [
            {"created_by": f"ENV DEMO_TOKEN={SECRET} 1 A=b"},
            {"created_by": f"|1 DEMO_TOKEN={SECRET} 1 /bin/sh -c make TOKEN='{SECRET} 1'"},
            {"created_by": f'curl "token": "{SECRET} 1"'},
        ],
    }
    assert kept(value, "env:DEMO_TOKEN") == value
    assert SECRET not in json.dumps(redacted(value))


def test_what_stands_for_an_allowed_value_is_no_way_out() -> None:
    """A text that has it hides nothing from the search."""
    value = {"Cmd": [f"TOKEN=\x010\x01 A_TOKEN={SECRET} B_TOKEN=x1"]}
    left = redacted(value, Redaction(likely=True, kept=frozenset({SECRET})))
    assert left == {"Cmd": ["TOKEN=*** A_TOKEN=*** B_TOKEN=***"]}


def test_a_name_that_a_user_gives_goes_all_the_same() -> None:
    """What is allowed is no likely secret; a name says what is to go."""
    value = {"Env": [f"NAME_TOKEN={SECRET}", f"NAME={SECRET}"]}
    both = Redaction(likely=True, names=("NAME",), kept=frozenset({SECRET}))
    assert redacted(value, both) == {"Env": ["NAME_TOKEN=***", "NAME=***"]}


def test_what_an_analysis_tells_can_be_allowed() -> None:
    """Each kind in each place, by its place or by its kind: then nothing of it changes."""
    texts = [text for _, text in EXAMPLES if "\n" not in text]
    settings = {f"THING{number}": text for number, text in enumerate(texts)}
    for config in (
        {"config": {"Env": [f"{name}={text}" for name, text in settings.items()]}},
        {"config": {"Labels": settings}},
        {"config": {"OnBuild": [f"RUN use '{text}'" for text in texts]}},
        {"history": [{"created_by": f"|1 X={text} /bin/sh -c make"} for text in texts]},
        {"history": [{"created_by": f"/bin/sh -c use '{text}'"} for text in texts]},
    ):
        made = image(layer("a"), config=config)
        found = config_secrets(replace(made, config=Config.parse(_json(made, config), "c")))
        assert len(found) == len(texts)
        place = {"build arg": "arg"}
        by_place = [f"{place.get(one.where, one.where)}:{one.name}" for one in found]
        assert redacted(config) != config
        assert kept(config, *dict.fromkeys(by_place)) == config
        assert kept(config, *dict.fromkeys(f"kind:{one.kind}" for one in found)) == config


def _json(made: Image, config: dict[str, Any]) -> bytes:
    return json.dumps({**made.config.value, **config}).encode()
