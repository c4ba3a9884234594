"""What ``--change`` makes of a config is what real engines make of the same instruction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import lamella
from tests.engines.daemon import Engine
from tests.engines.images import base_tar
from tests.engines.process import CommandError
from tests.engines.tools import Podman
from tests.support.images import image, made_by
from tests.support.tars import END, entry
from tests.transport.engine.squashing import options

pytestmark = pytest.mark.engine

NAME = "changes-tests/app"
SETTINGS = {
    "Env": ["PATH=/bin", "A=one", "EMPTY="],
    "Cmd": ["/bin/true"],
    "Entrypoint": ["/bin/env"],
    "WorkingDir": "/srv",
    "Labels": {"kept": "as it is"},
    "ExposedPorts": {"53/udp": {}},
    "Volumes": {"/old": {}},
    "User": "root",
}
KEYS = (
    *("Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild"),
    *("StopSignal", "User", "Volumes", "WorkingDir"),
)
CHANGES = [
    ["CMD echo $HOME && ls"],
    ['CMD ["echo", "a b", "$A"]'],
    ["CMD [ -f /etc/passwd ]"],
    ['entrypoint ["/bin/sh", "-c"]'],
    ['ENTRYPOINT ["/bin/echo"]', 'CMD ["x"]'],
    ['CMD ["x"]', "ENTRYPOINT echo"],
    ["ENV A=two B=$A"],
    ['ENV C="a b" D=a\\ b E=\'$A\' F="\\$A" G=${A}x H=${NO:-no} I=${A:+yes} J=${A:-no} K=$NO.'],
    ["ENV  old form  $A  "],
    ["ENV A= PATH=/opt/bin:$PATH"],
    ['ENV X="quote\\"d" Y=back\\slash Z="back\\slash" W=a"b c"d'],
    ["EXPOSE 80 443/tcp 8000-8002/UDP 9/sctp"],
    ['ENV PORTS="81 82"', "EXPOSE $PORTS"],
    ['LABEL a=b "c d"="e $A" f=', "LABEL kept again here"],
    ["ONBUILD RUN echo $A", 'ONBUILD COPY . "/x y"'],
    ["STOPSIGNAL SIGUSR1"],
    ["STOPSIGNAL 9"],
    ["USER 1000:1000"],
    ["USER $A"],
    ["VOLUME /data /more"],
    ['VOLUME ["/a b", "/$A"]'],
    ["WORKDIR data"],
    ["WORKDIR ../x/./y/"],
    ["WORKDIR /abs/../as/it/is", "WORKDIR $A"],
    ["HEALTHCHECK NONE"],
    ['HEALTHCHECK --interval=5s --timeout=1m30s --start-period=1.5s --retries=3 CMD ["a", "b"]'],
    ["HEALTHCHECK CMD curl -f http://x || exit 1"],
]
REFUSED = [
    "FOO bar",
    "RUN ls",
    "COPY a b",
    "ENV A",
    "ENV =x",
    'ENV A="b',
    "ENV A=b c",
    "ENV A=${B",
    "LABEL a",
    "EXPOSE http",
    "EXPOSE 65536",
    "EXPOSE 9-8",
    "EXPOSE 80/icmp",
    "STOPSIGNAL SIGFOO",
    "ONBUILD FROM x",
    "ONBUILD ONBUILD RUN x",
    "ONBUILD",
    "USER",
    "WORKDIR",
    'CMD ["a", 1]',
    "HEALTHCHECK",
    "HEALTHCHECK FOO",
    "HEALTHCHECK CMD",
    "HEALTHCHECK NONE x",
    "VOLUME",
    "HEALTHCHECK --retries=x CMD y",
    "HEALTHCHECK --interval=1 CMD y",
    "HEALTHCHECK --foo=1 CMD y",
    "ENV A=${B:x}",
    "CMD --x y",
    'VOLUME [""]',
]


def archive(path: Path) -> str:
    """Write the image that is changed; return its reference."""
    made = image(base_tar(), history=made_by("base"), config=SETTINGS)
    described = [{"Config": "c.json", "RepoTags": [f"{NAME}:1"], "Layers": ["1/layer.tar"]}]
    files = {"1/layer.tar": base_tar(), "c.json": made.config.raw}
    files["manifest.json"] = json.dumps(described).encode()
    path.write_bytes(b"".join(entry(n, c).encode() for n, c in files.items()) + END)
    return f"docker-archive:{path}"


def shown(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that instructions change; what is empty is not there."""
    return {key: config[key] for key in KEYS if config.get(key)}


def test_docker_makes_the_same_of_each_instruction(docker_classic: Engine, tmp_path: Path) -> None:
    """`docker commit --change` and lamella make one config of it; both refuse the same."""
    docker, app = docker_classic.docker, f"docker-daemon:{NAME}:1"
    archive(tmp_path / "app.tar")
    docker("load", "-i", tmp_path / "app.tar")
    container = docker("create", f"{NAME}:1").strip()
    env = lamella.Environment(engine=options(docker_classic.host))
    differing = []
    for changes in CHANGES:
        if changes[0].startswith("STOPSIGNAL"):  # which `docker commit` of 20.10 does not know
            file = "\n".join([f"FROM {NAME}:1", *changes]).encode()
            theirs = docker("build", "--quiet", "-", input=file).strip()
        else:
            words = [word for change in changes for word in ("--change", change)]
            theirs = docker("commit", *words, container).strip()
        ours = lamella.squash(app, change=changes, env=env).id
        found = [
            shown(json.loads(docker("image", "inspect", one))[0]["Config"])
            for one in (ours, theirs)
        ]
        if found[0] != found[1]:
            differing.append((changes, *found))
    assert differing == []
    for change in REFUSED:
        with pytest.raises(lamella.UsageError):
            lamella.squash(app, change=change, dry_run=True, env=env)
    taken = [change for change in REFUSED if takes(docker_classic, container, change)]
    docker("rm", container)
    assert taken == []


def takes(engine: Engine, container: str, change: str) -> bool:
    """Whether Docker makes an image with an instruction."""
    try:
        engine.docker("commit", "--change", change, container)
    except CommandError:
        return False
    return True


PLAIN = [
    *("CMD echo $HOME $A $B", 'ENTRYPOINT ["/bin/sh", "-c"]', "ENV A=two", "ENV B=three"),
    *("EXPOSE 80", "EXPOSE 443/tcp", "LABEL a=b", "STOPSIGNAL 10", "USER 1000:1000"),
    *("VOLUME /data", "WORKDIR /srv/data"),
]
"""What Podman reads as Docker does. It has rules of its own for quotes, variables and ranges, and
writes signals as numbers."""
OF_PODMAN = {"TERM=xterm", "container=podman"}
"""Variables of every container of its own, which it commits, too."""


def test_podman_makes_the_same_of_plain_instructions(podman: Podman, tmp_path: Path) -> None:
    """`podman commit --change` and lamella: one config, and containers run by it."""
    source, new = archive(tmp_path / "app.tar"), tmp_path / "new.tar"
    changes = [*PLAIN, 'CMD ["echo $HOME $A $B"]']
    lamella.squash(source, change=changes, tag=f"{NAME}:2", output=f"docker-archive:{new}")
    podman("load", "-i", tmp_path / "app.tar")
    podman("load", "-i", new)
    container = podman("create", f"localhost/{NAME}:1").strip()
    words = [word for change in changes for word in ("--change", change)]
    theirs = podman("commit", "--quiet", "--format", "docker", *words, container).strip()
    ours = f"localhost/{NAME}:2"
    found = [
        shown(json.loads(podman("image", "inspect", one))[0]["Config"]) for one in (ours, theirs)
    ]
    podman("rm", container)
    for config in found:  # in an order of Podman's own
        config["Env"] = set(config["Env"]) - OF_PODMAN
    assert found[0] == found[1]
    assert podman("run", "--rm", "--network=none", ours).strip() == "/ two three"


@pytest.mark.parametrize("store", ["docker_classic", "docker_containerd", "podman"])
def test_a_history_that_tells_nothing_is_shown(
    request: pytest.FixtureRequest, store: str, tmp_path: Path
) -> None:
    """Each layer has a line with its size; the image runs."""
    engine: Engine | Podman = request.getfixturevalue(store)
    call = engine if isinstance(engine, Podman) else engine.docker
    source, new = archive(tmp_path / "app.tar"), tmp_path / "new.tar"
    lamella.squash(source, history="drop", tag=f"{NAME}:3", output=f"docker-archive:{new}")
    call("load", "-i", new)
    name = f"localhost/{NAME}:3" if store == "podman" else f"{NAME}:3"
    lines = call("history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Size}}", name).split("\n")
    assert len([line for line in lines if "|" in line]) == 1
    assert "base" not in lines[0]
    assert call("run", "--rm", "--network=none", name, "/bin/echo", "on").strip() == "on"


@pytest.mark.parametrize("store", ["docker_classic", "docker_containerd", "podman"])
def test_in_an_engine_layers_stay_and_secrets_go(
    request: pytest.FixtureRequest, store: str, tmp_path: Path
) -> None:
    """With nothing to squash: the engine has a new image of the same layers, which runs."""
    engine: Engine | Podman = request.getfixturevalue(store)
    is_podman = isinstance(engine, Podman)
    call = engine if isinstance(engine, Podman) else engine.docker
    source = archive(tmp_path / "app.tar")
    secret = "made-up-value"
    changes = [f"ENV API_TOKEN={secret}", f"LABEL hint={secret}"]
    output = f"docker-archive:{tmp_path}/new.tar"
    lamella.squash(source, change=changes, tag=f"{NAME}:4", output=output)
    call("load", "-i", tmp_path / "new.tar")
    old, new = (f"{'localhost/' if is_podman else ''}{NAME}:{tag}" for tag in (4, 5))
    variables = {"DOCKER_HOST": engine.host, "CONTAINER_HOST": engine.host}
    env = lamella.Environment(engine=lamella.EngineOptions(variables, source="api"))
    place = "podman:" if is_podman else "docker-daemon:"
    given: dict[str, Any] = {"redact": True, "history": "drop", "change": "USER 7"}
    result = lamella.squash(f"{place}{old}", tag=new, env=env, **given)
    assert (result.squashed, result.restated) == (False, True)
    [before], [after] = (json.loads(call("image", "inspect", name)) for name in (old, new))
    assert after["RootFS"] == before["RootFS"]
    assert secret not in json.dumps(after)
    assert after["Config"]["User"] == "7"
    words = (
        "run",
        "--rm",
        "--network=none",
        "--entrypoint=/bin/sh",
        new,
        "-c",
        'echo "$API_TOKEN"',
    )
    assert call(*words).strip() == "***"
