"""Tests of the look for secrets."""
