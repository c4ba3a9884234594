"""What an analysis refuses, since its tables would grow beyond all use."""

from __future__ import annotations

import pytest

from lamella.analysis.lives import lay
from lamella.analysis.savings import savings
from lamella.errors import Unsupported
from lamella.layer.blob import Bytes
from lamella.limits import LAYERS
from lamella.merge.changeset import read_changeset


def test_more_layers_than_a_table_has_rows_for_are_refused() -> None:
    """The table of all ranges grows with the square of the layers; the error tells the limit."""
    changesets = [read_changeset(Bytes(bytes(1024)), i) for i in range(LAYERS + 1)]
    with pytest.raises(Unsupported, match=f"{LAYERS + 1} layers.* at most {LAYERS}"):
        savings(lay(changesets))
