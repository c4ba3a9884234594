"""Tests of layers read where an engine keeps them."""
