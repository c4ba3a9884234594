"""Ours beside Go's own: what engines are written in decides how an input is read."""
