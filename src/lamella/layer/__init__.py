"""One layer: where its bytes are, how they are compressed, the names it reserves."""
