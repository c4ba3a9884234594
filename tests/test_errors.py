"""Errors as text: however much of an input they quote, they are short."""

from __future__ import annotations

from lamella.errors import LamellaError, MalformedImage


def test_long_messages_lose_their_middle() -> None:
    """What is wrong comes last, where it is, first: both stay."""
    said = str(MalformedImage("a.tar: manifest", f"{'é' * 5000}: no digest"))
    assert len(said) == 1000
    assert said.startswith("a.tar: manifest: ééé")
    assert said.endswith("é: no digest")
    assert " … " in said


def test_others_are_as_they_were_made() -> None:
    """Nothing is cut that need not be."""
    assert str(LamellaError("x" * 1000)) == "x" * 1000
