"""Tests of layers of which only a part is kept."""
