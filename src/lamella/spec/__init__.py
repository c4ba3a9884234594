"""The standard's words as frozen values."""
