"""An analysis of layers in memory."""

from __future__ import annotations

from lamella.analysis.facts import Label, take_apart
from lamella.analysis.model import Analysis
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.progress import SILENT
from tests.support.images import image

__all__ = ["analyze"]


def analyze(*tars: bytes, secrets: bool = True) -> Analysis:
    """Analyze the image that layers make, base first."""
    made = image(*tars)
    labels = [Label(f"id{number}", f"step {number}", ()) for number in range(1, len(tars) + 1)]
    with LayerOpener(Spool()) as opener:
        return take_apart(made, opener, labels, SILENT, secrets=secrets)[0]
