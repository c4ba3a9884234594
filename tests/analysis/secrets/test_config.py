"""Secrets in a config, its history and annotations are found, and nothing else is."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from lamella.analysis.model import Secret
from lamella.analysis.secrets.config import config_secrets
from lamella.image import Image
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from tests.analysis.secrets.examples import EXAMPLES
from tests.analysis.secrets.popular import CONFIGS
from tests.support.images import image, made_by
from tests.support.tars import layer

# What is split over lines is in no variable.
SHORT = [(what, text) for what, text in EXAMPLES if "\n" not in text]
WORD = "correct-Horse7"


def found(*steps: str, annotations: dict[str, str] | None = None, **config: object) -> list[Secret]:
    """Look through an image with one layer for each step that is not in brackets."""
    made = image(
        *(layer(f"f{n}") for n, step in enumerate(steps) if not step.startswith("(")),
        history=made_by(*steps) or None,
        config=config,
    )
    if annotations is not None:
        made = annotated(made, annotations)
    return list(config_secrets(made))


def annotated(made: Image, annotations: dict[str, str]) -> Image:
    """Return an image whose manifest has annotations."""
    descriptor = Descriptor("application/vnd.oci.image.config.v1+json", Digest.of(b""), 0)
    return replace(made, manifest=Manifest(b"", {"annotations": annotations}, descriptor, ()))


def places(secrets: list[Secret]) -> list[tuple[str, str, int | None]]:
    """Where they are."""
    return [(secret.where, secret.name, secret.layer) for secret in secrets]


@pytest.mark.parametrize(("what", "text"), SHORT)
def test_token_is_found_wherever_it_is_said(what: str, text: str) -> None:
    """Whatever its variable, label, argument or annotation is called; never shown whole."""
    for secrets, place in (
        (found(Env=["A=b", f"THING={text}"]), ("env", "THING", None)),
        (found(Labels={"org.thing": text}), ("label", "org.thing", None)),
        (found("a", f"/bin/sh -c use '{text}' # x"), ("history", "2", 2)),
        (found(f"|2 A=1 THING={text} /bin/sh -c make"), ("build arg", "THING", 1)),
        (found("(a)", f"(ARG THING={text})"), ("build arg", "THING", None)),
        (found(annotations={"org.thing": text}), ("annotation", "org.thing", None)),
        (found(Cmd=["serve", text]), ("config", "Cmd", None)),
        (
            found(Healthcheck={"Test": ["CMD-SHELL", f"check {text}"]}),
            ("config", "Healthcheck", None),
        ),
    ):
        assert [secret.kind for secret in secrets] == [what]
        assert places(secrets) == [place]
        assert text not in secrets[0].shown
        assert secrets[0].path == b""


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("DB_PASSWORD", "password"),
        ("MYSQL_ROOT_PASSWORD", "password"),
        ("dbPassword", "password"),
        ("RABBITMQ_DEFAULT_PASS", "password"),
        ("MYSQL_PWD", "password"),
        ("DEPLOY_TOKEN", "token"),
        ("JWT_SECRET", "secret value"),
        ("JWT_SECRET_KEY", "secret value"),
        ("SECRET_KEY_BASE", "secret value"),
        ("AWS_SECRET_ACCESS_KEY", "secret value"),
        ("SERVICE_APIKEY", "secret value"),
        ("API_KEY_PROD", "secret value"),
    ],
)
def test_value_is_found_by_its_name(setting: str, kind: str) -> None:
    """In all places, with no form that would tell."""
    for secrets, where in (
        (found(Env=[f"{setting}={WORD}"]), "env"),
        (found(Labels={setting: WORD}), "label"),
        (found(f"/bin/sh -c {setting}={WORD} make"), "history"),
        (found(f"RUN |1 {setting}={WORD} /bin/sh -c make # buildkit"), "build arg"),
        (found(f"(/bin/sh -c #(nop)  ARG {setting}={WORD})"), "build arg"),
        (found(annotations={setting: WORD}), "annotation"),
    ):
        assert [(secret.where, secret.kind) for secret in secrets] == [(where, kind)]
        assert WORD not in secrets[0].shown


def test_value_in_a_command_is_found_by_its_option() -> None:
    """As commands take passwords."""
    assert places(found(f"/bin/sh -c tool --password {WORD} x")) == [("history", "1", 1)]
    assert places(found(Entrypoint=["tool", f"--token={WORD}"])) == [("config", "Entrypoint", None)]


def test_repeated_value_is_told_once() -> None:
    """A variable is in the history, too; a build argument in each step after it."""
    steps = f"(ENV DB_PASSWORD={WORD})", f"|1 T_TOKEN={WORD}2 /bin/sh -c a"
    again = f"|1 T_TOKEN={WORD}2 /bin/sh -c b"
    secrets = found(*steps, again, Env=[f"DB_PASSWORD={WORD}"])
    assert places(secrets) == [("env", "DB_PASSWORD", None), ("build arg", "T_TOKEN", 1)]


@pytest.mark.parametrize(
    "value",
    [
        *("", "/run/secrets/session", "~/.config/token", "./key", "https://sso.example/token"),
        *("4096", "10.5", "true", "${OTHER}", "$(cat /run/x)", "<your token>", "{{ .Values.key }}"),
        *("jwt.pem", "changeme", "xxxxxxxx", "password", "example-token-1", "********"),
    ],
)
def test_value_that_is_not_filled_in_is_none(value: str) -> None:
    """A variable, a path, an address, a number, a placeholder."""
    assert found(Env=[f"APP_SECRET={value}"], Labels={"app.token": value}) == []
    assert found(f"|1 APP_SECRET={value} /bin/sh -c make", f"(ENV APP_TOKEN={value})") == []


@pytest.mark.parametrize(
    "command",
    [
        "APP_SECRET=production make",
        "tool --token value-of-it x",
        "sed -i 's/^password: .*/password: none/' /etc/a.conf",
        'echo "token=$(openssl rand -hex 32)" > /etc/a.conf',
        "docker login --password-stdin",
    ],
)
def test_word_in_a_command_is_no_value(command: str) -> None:
    """Commands speak of secrets without having any."""
    assert found(f"/bin/sh -c {command}", Cmd=["sh", "-c", command]) == []


@pytest.mark.parametrize("name", CONFIGS)
def test_no_alarm_on_a_popular_image(name: str) -> None:
    """None of the twenty has a secret."""
    popular = CONFIGS[name]
    secrets = found(
        *popular.history,
        *(f"({line})" for line in (f"ENV {pair}" for pair in popular.env)),
        Env=popular.env,
        Labels=popular.labels,
        annotations=popular.labels,
    )
    assert secrets == []


def test_odd_values_are_no_error() -> None:
    """Of any type that a config may have, and names that are no UTF-8."""
    assert found(Env=None, Labels=None, Cmd=None, Healthcheck=None) == []
    assert found("", Env=["=", "A", "=B", "\udcff=\udcff"], Labels={"": ""}) == []


@pytest.mark.parametrize(
    "step",
    [
        f"ENV A=x{' ' * 16000}y",
        f"ENV A={' ' * 16000}",
        f"ENV {'A=b ' * 16000}",
        f"|1 A=x{' ' * 16000}y /bin/sh -c make",
        f"{'x #(nop) ' * 8000}ENV A=b",
    ],
    ids=["blanks in a value", "blanks", "variables", "an argument", "marks"],
)
def test_a_long_step_takes_no_time(step: str) -> None:
    """Whoever builds an image says what its history is."""
    start = time.process_time()
    assert found(step) == []
    assert time.process_time() - start < 1
