"""What is around the lists: the keys at the bottom, and text of a fixed height."""

from __future__ import annotations

from collections.abc import Iterable

from textual.screen import Screen
from textual.widgets import Footer, Static

__all__ = ["Keys", "Told"]


class Keys(Footer):
    """The keys; they are laid out again only if they have changed."""

    _shown: tuple[tuple[str, str, bool], ...] = ()

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Show the keys of now. Textual calls this twice whenever something else has the focus."""
        if not (screen.app.app_focus and self.is_attached and screen is self.screen):
            return
        active = (one for one in screen.active_bindings.values() if one.binding.show)
        shown = tuple((one.binding.key, one.binding.description, one.enabled) for one in active)
        if shown != self._shown:
            self._shown = shown
            super().bindings_changed(screen)


class Told(Static):
    """Lines of text; the style fixes the height, so new text needs no new layout."""

    def __init__(self, name: str) -> None:
        super().__init__(id=name, markup=False)

    def tell(self, lines: Iterable[str]) -> None:
        """Show other lines."""
        self.update("\n".join(lines), layout=False)
