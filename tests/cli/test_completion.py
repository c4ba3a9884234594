"""What Tab offers: in a real bash, and as each shell's script gets it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.cli.running import environment, run
from tests.engines.daemon import Engine
from tests.engines.images import build_base
from tests.support.warm import warm_command
from tests.transport.forms import layout_of, to_file

pytestmark = pytest.mark.slow


@pytest.fixture
def here(work: Path, app: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an archive, a layout, a folder, and a file that is no image."""
    assert app.endswith("app.tar")
    layout_of().write(work / "layout")
    (work / "images").mkdir()
    to_file(work / "images/other.tar.gz", b"")
    to_file(work / "notes.txt", b"")
    monkeypatch.chdir(work)
    return work


def offered(where: Path, tmp: Path, *words: str, **more: str) -> list[str]:
    """What is offered for the last of the words of a command line, with its help if any."""
    line = " ".join(f'"{word}"' for word in ("lamella", *words))
    env = {"_LAMELLA_COMPLETE": "zsh_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    env |= more
    told = run(tmp=tmp, env=env, cwd=where).worked().text.splitlines()
    pairs = zip(told[1::3], told[2::3], strict=True)
    return [word if text == "_" else f"{word} {text}" for word, text in pairs]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["sq"], ["squash squash layers of an image into one"]),
        (["squash", ""], ["app.tar", "images/", "layout"]),
        (["squash", "a"], ["app.tar"]),
        (["squash", "images/"], ["images/other.tar.gz"]),
        (["layers", "./"], ["./app.tar", "./images/", "./layout"]),
        (["verify", "app.tar", "oci:l"], ["oci:layout"]),
        (["squash", "docker-archive:n"], ["docker-archive:notes.txt"]),
        (["squash", "nowhere/"], []),
        (["squash", "app.tar", "-o", "n"], ["notes.txt"]),
        (["squash", "app.tar", "-o", "docker-archive:i"], ["docker-archive:images/"]),
        (["squash", "app.tar", "--tmp-dir", ""], ["images/", "layout/"]),
        (["analyze", "app.tar", "--html", "images/"], ["images/other.tar.gz"]),
        (["analyze", "app.tar", "--report", "sarif=no"], ["sarif=notes.txt"]),
        (["analyze", "app.tar", "--report", "j"], ["json=", "junit="]),
        (["analyze", "app.tar", "--report=sarif=no"], ["--report=sarif=notes.txt"]),
        (["analyze", "app.tar", "--format=j"], ["--format=json", "--format=junit"]),
        (["layers", "--tls-verify", "t"], ["true"]),
        (["squash", "docker://reg/a", ""], []),
        (["squash", "notes.txt", ""], []),
    ],
)
def test_images(here: Path, tmp: Path, words: list[str], wanted: list[str]) -> None:
    """Archives, layouts and folders that lead on; nothing, and no error, where there is nothing."""
    assert offered(here, tmp, *words) == wanted


@pytest.mark.parametrize("option", [[], ["--from"]])
def test_layers(lamella: Lamella, here: Path, tmp: Path, option: list[str]) -> None:
    """Of an image at hand, by numbers, and by the ID that was begun."""
    layers = lamella("layers", "-m", str(here / "app.tar")).worked().text.split()
    found = offered(here, tmp, "squash", "app.tar", *option, "")
    ids = [layer.removeprefix("sha256:")[:12] for layer in layers]
    assert [word.split(" ")[:2] for word in found] == [
        [str(number), short] for number, short in enumerate(ids, 1)
    ]
    begun = offered(here, tmp, "squash", "app.tar", *option, ids[0][:5])
    assert [word.split(" ")[0] for word in begun] == [ids[0]]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["cat", "app.tar", ""], ["etc/"]),
        (["cat", "app.tar", "/"], ["/etc/"]),
        (["ls", "layout", "etc/n"], ["etc/name", "etc/new"]),
        (["cat", "app.tar", "etc/name", "/etc/l"], ["/etc/link"]),
        (["ls", "app.tar", "nowhere/"], []),
        (["ls", "notes.txt", ""], []),
        (["cat", "docker://reg/a", ""], []),
    ],
)
def test_paths(here: Path, tmp: Path, words: list[str], wanted: list[str]) -> None:
    """What is in the image, directory by directory."""
    assert offered(here, tmp, *words) == wanted


@pytest.mark.engine
def test_images_of_the_engine(docker_classic: Engine, work: Path, tmp: Path) -> None:
    """Their names, with and without the prefix; and the layers of one."""
    build_base(docker_classic, "completed/base:1")
    env = {"DOCKER_HOST": docker_classic.host}
    for prefix in ("", "docker-daemon:"):
        found = offered(work, tmp, "squash", f"{prefix}completed/", **env)
        assert found == [f"{prefix}completed/base:1"]
    assert len(offered(work, tmp, "squash", "completed/base:1", "", **env)) >= 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(lamella: Lamella, shell: str) -> None:
    """Each is what its shell takes, where that shell is here."""
    script = lamella("completion", shell).worked().text
    assert "_LAMELLA_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script.encode(), check=True)


def test_bash(here: Path, tmp: Path) -> None:
    """A reference with a colon is one word."""
    ask = """
        eval "$(lamella completion bash)"
        COMP_WORDS=(lamella squash docker-archive:a); COMP_CWORD=2; _lamella_completion lamella
        printf '%s\\n' "${COMPREPLY[@]}"
        case $COMP_WORDBREAKS in *:*) echo broken;; esac
    """
    env = environment(tmp, {"PATH": f"{warm_command().parent}:/usr/bin:/bin"})
    done = subprocess.run(["bash", "-c", ask], cwd=here, env=env, check=True, capture_output=True)
    assert done.stdout.decode().split() == ["docker-archive:app.tar"]
    assert done.stderr == b""


def test_bash_leads_on(here: Path, tmp: Path) -> None:
    """Names with spaces are quoted; where the user has quoted them they are as they are."""
    (here / "my images").mkdir()
    ask = """
        eval "$(lamella completion bash)"
        for word in my '"my' ; do
            COMP_WORDS=(lamella layers "$word"); COMP_CWORD=2; _lamella_completion lamella
            printf '%s\\n' "${COMPREPLY[@]}"
        done
    """
    env = environment(tmp, {"PATH": f"{warm_command().parent}:/usr/bin:/bin"})
    done = subprocess.run(["bash", "-c", ask], cwd=here, env=env, check=True, capture_output=True)
    assert done.stdout.decode().splitlines() == ["my\\ images/", "my images/"]
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("analyze app.tar --format = j", "json junit"),
        ("analyze app.tar --format =", "text json sarif junit markdown github"),
        ("analyze app.tar --report sarif = no", "notes.txt"),
        ("analyze app.tar --report = sarif = no", "notes.txt"),
        ("analyze app.tar --report = sarif =", "app.tar images/ layout/ notes.txt"),
        ("analyze --format = json a", "app.tar"),
    ],
)
def test_bash_takes_an_equals_sign_for_a_word(
    here: Path, tmp: Path, words: str, offered: str
) -> None:
    """What is before it is not offered again, for bash has it already."""
    ask = f"""
        eval "$(lamella completion bash)"
        COMP_WORDS=(lamella {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1))
        _lamella_completion lamella
        printf '%s ' "${{COMPREPLY[@]}}"
        case $COMP_WORDBREAKS in *=*) ;; *) echo broken;; esac
    """
    env = environment(tmp, {"PATH": f"{warm_command().parent}:/usr/bin:/bin"})
    done = subprocess.run(["bash", "-c", ask], cwd=here, env=env, check=True, capture_output=True)
    assert done.stdout.decode() == f"{offered} "
    assert done.stderr == b""


def test_unknown_shell(lamella: Lamella) -> None:
    """It says which there are."""
    lamella("completion", "tcsh").failed(2, "bash", "zsh", "fish")
