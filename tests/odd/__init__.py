"""Servers of which any answer may be odd: a registry with its token server, and an engine."""
