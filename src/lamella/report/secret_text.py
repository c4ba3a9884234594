"""Where a secret is, in words: the same in all reports."""

from __future__ import annotations

from lamella.analysis.model import Secret
from lamella.report.text import printable
from lamella.tar.entry import path_text

__all__ = ["holder", "place"]

_PLACES = {
    "env": "ENV {}",
    "label": "LABEL {}",
    "build arg": "ARG {}",
    "annotation": "annotation {}",
    "config": "{} of the config",
    "history": "history, step {}",
}


def place(secret: Secret) -> str:
    """Return where it is: ``/root/.ssh/id_rsa``, ``ENV DEPLOY_TOKEN``, ``history, step 3``."""
    if secret.where == "file":
        return f"/{printable(path_text(secret.path))}"
    return _PLACES[secret.where].format(printable(secret.name))


def holder(secret: Secret) -> str:
    """Return what has it: a layer, the config or the manifest."""
    if secret.layer is not None:
        return f"layer {secret.layer}"
    return "the manifest" if secret.where == "annotation" else "the config"
