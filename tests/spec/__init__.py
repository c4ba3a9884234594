"""The standard's words."""
