"""The documents that `lamella help` shows: the one table of them. The build packs the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["FOLDER", "TOPICS", "Topic", "read_topic"]

FOLDER = "docs"
"""Of the documents, in the package as in the repository."""


class Topic(NamedTuple):
    """A document for users."""

    page: str
    about: str


TOPICS = {
    "api": Topic("api.md", "call lamella from Python"),
    "ci": Topic("ci.md", "check images in CI: GitHub Actions, GitLab CI, any shell"),
    "cli": Topic("cli.md", "the command line: references, exit codes, environment variables"),
    "concepts": Topic("concepts.md", "what an image consists of, and what a squash does"),
    "container": Topic("container.md", "lamella as a container image"),
    "docker-plugin": Topic("docker-plugin.md", "`docker squash`, a command of docker"),
    "docker-squash": Topic("how-to/from-docker-squash.md", "how to move from docker-squash"),
    "faq": Topic("faq.md", "questions and answers"),
    "fleets": Topic("fleets.md", "how to squash a whole registry, on one machine or on many"),
    "install": Topic("install.md", "how to install and remove lamella"),
    "json": Topic("json.md", "the documents printed by --json"),
    "limits": Topic("limits.md", "limits on the sizes of parts of an image"),
    "plans": Topic("plan.md", "how to plan a squash of many images"),
    "platforms": Topic("how-to/multi-platform.md", "how to squash for several platforms"),
    "proof": Topic("how-to/prove.md", "how to prove what a squash did, and sign it"),
    "registries": Topic("registries.md", "credentials, TLS and proxies of registries"),
    "registry": Topic("how-to/registry.md", "how to squash an image in a registry"),
    "report": Topic("report.md", "the page that `lamella analyze --html` writes"),
    "scanner": Topic("how-to/scanner-findings.md", "when a scanner reports what was patched"),
    "screen": Topic("explore.md", "the screen of `lamella explore`, and its keys"),
    "secrets": Topic("how-to/secrets.md", "how to remove secrets that still ship"),
    "smaller": Topic("how-to/smaller-image.md", "how to make an image smaller"),
    "tar": Topic("tar.md", "how layers are read, and where tools differ"),
    "tour": Topic("tour.md", "lamella in five minutes, with an example"),
    "transports": Topic("transports.md", "sources, destinations and conversions"),
    "troubleshooting": Topic("troubleshooting.md", "error messages, causes and solutions"),
    "updates": Topic("how-to/ship-less.md", "how to ship only what is new in an image"),
    "when-not": Topic("how-to/when-not-to-squash.md", "when not to squash"),
}
"""By what they are called; none is called like a command."""


def read_topic(name: str) -> str:
    """Return the document of a topic.

    Raises:
        OSError: it can't be read.
    """
    package = Path(__file__).resolve().parents[1]
    page = package / FOLDER / TOPICS[name].page
    if not page.exists():  # in a checkout the documents are beside the sources
        page = package.parents[1] / FOLDER / TOPICS[name].page
    return page.read_text(encoding="utf-8")
