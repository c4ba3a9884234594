"""Facts in the dress of text and JSON."""
