"""Small windows above the screen: help, the filter, the worst dead paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Static

from lamella.analysis.browse import ADDED, CHANGED, DELETED, UNCHANGED, Filter
from lamella.analysis.model import Dead, Secret
from lamella.cli.explore.lines import Lines
from lamella.cli.explore.texts import MARKS, shown
from lamella.report.text import human_size

__all__ = ["FilterScreen", "HelpScreen", "SecretsScreen", "WorstScreen", "parse_size"]

_HELP = """\
Tab          switch between layers and files
j k, arrows  down, up; also PageUp, PageDown, g, G
Enter, l h   open and close a directory
/            search names, or paths if there is a slash
             in what is typed; Enter goes to what is found
f            filter: kinds of change, smallest size
Space        mark one end of a range of layers, then the
             other; what squashing it saves is shown below
b            mark the range that saves most
s            squash the marked range
E            list of the paths to leave out; e unmarks one
w            worst dead paths, by size; Enter goes there
p            secrets that were found; Enter goes there
i            the image: config, labels, history in full

For the selected file or layer:
d            details: all attributes, what changed; for a
             layer, the whole command that made it
e            leave it out of a squash, with all in it; again:
             keep it
v            view the file, as text or in hex
x            save it; a directory becomes a tar
y            copy its path to the clipboard
o            sort by change, size or name

r            in a window: show hidden values
Esc          end the search; unmark
q, Ctrl-C    quit; q closes a window like this one first

✗ before a name: it is left out when you squash.
Layers: the size, and how much of it is dead.
Files of a layer:  + added   ~ changed   - deleted
The first number is the bytes that the layer adds, the
second the bytes of lower layers that it deletes or
replaces; a size in brackets is unchanged.
Files of the image: the size, and the layer it is from.
Sizes are bytes in the layer's tar, headers included; a
directory includes everything in it."""
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kMGT]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_NAMES = ((ADDED, "added"), (CHANGED, "changed"), (DELETED, "deleted"), (UNCHANGED, "unchanged"))


def parse_size(text: str) -> int | None:
    """Read a size like ``10MB`` or ``512``; None if it is none. Nothing at all is 0."""
    match = _SIZE.fullmatch(text.strip() or "0")
    return int(float(match[1]) * _UNITS[match[2].lower()]) if match else None


class HelpScreen(ModalScreen[None]):
    """Which key does what, and what the marks mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close")
    ]

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll(classes="window") as window:
            window.border_title = "Help"
            window.border_subtitle = "Esc: close"
            yield Static(_HELP, markup=False)


class _Tick(Checkbox):
    """A box whose state shows without colours."""

    def render(self) -> Content:
        """Draw the box, empty if it is."""
        self.BUTTON_INNER = "X" if self.value else " "
        return super().render()


class FilterScreen(ModalScreen[Filter | None]):
    """Asks which rows are wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Cancel")]

    def __init__(self, wanted: Filter) -> None:
        super().__init__()
        self._wanted = wanted

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window") as window:
            window.border_title = "Filter"
            window.border_subtitle = "Tab: next   Space: tick   Esc: cancel"
            for kind, name in _NAMES:
                checked = bool(self._wanted.changes & kind)
                yield _Tick(f"{MARKS[kind]} {name}", checked, id=name, compact=True)
            size = human_size(self._wanted.smallest) if self._wanted.smallest else ""
            smallest = Input(size, id="smallest")
            smallest.border_title = "smallest size, like 10MB"
            yield smallest
            yield Static("", id="state", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Apply", variant="primary", id="apply", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    @on(Input.Submitted)
    @on(Button.Pressed, "#apply")
    def _apply(self) -> None:
        text = self.query_one("#smallest", Input).value
        smallest = parse_size(text)
        if smallest is None:
            self.query_one("#state", Static).update(
                f"{text!r} is not a size; expected a value like 10MB"
            )
            return
        chosen = [kind for kind, name in _NAMES if self.query_one(f"#{name}", Checkbox).value]
        self.dismiss(Filter(sum(chosen), smallest))

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)


class _DeadList(Lines):
    """Dead paths, biggest first."""

    def __init__(self, dead: Sequence[Dead]) -> None:
        super().__init__()
        self._dead = dead

    @property
    def chosen(self) -> Dead:
        """What the cursor is on."""
        return self._dead[self.cursor]

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self._dead)

    def draw(self, index: int, width: int) -> Text:
        """Draw a path: its size, layers, cause."""
        del width
        dead = self._dead[index]
        text = Text(f"{human_size(dead.size):>8} ")
        text.append(f"{dead.layer:>4} → {dead.by:<4} {dead.cause.words:<14}")
        text.append(f"/{shown(dead.path)}{'/' if dead.directory else ''}")
        return text


class WorstScreen(ModalScreen[Dead | None]):
    """The biggest dead paths; returns the one that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,w", "dismiss", "Close")]

    def __init__(self, dead: Sequence[Dead]) -> None:
        super().__init__()
        self._dead = dead

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = "Worst dead paths"
            window.border_subtitle = "Enter: go there   Esc: close"
            if not self._dead:
                yield Static("Nothing is dead in this image.")
                return
            yield Static("    size   in → by   cause          path", markup=False)
            yield _DeadList(self._dead)

    def on_mount(self) -> None:
        """Measure the list."""
        for lines in self.query(_DeadList):
            lines.renew()
            lines.focus()

    @on(Lines.Chosen)
    def _go(self, event: Lines.Chosen) -> None:
        event.stop()
        self.dismiss(self.query_one(_DeadList).chosen)


class _SecretList(Lines):
    """Files that look like secrets, each with its layer."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        super().__init__()
        self._secrets = secrets

    @property
    def chosen(self) -> Secret:
        """What the cursor is on."""
        return self._secrets[self.cursor]

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self._secrets)

    def draw(self, index: int, width: int) -> Text:
        """Draw a secret: its layers, what it looks like, its path."""
        del width
        secret = self._secrets[index]
        gone = f"→ {secret.removed_by}" if secret.removed_by else ""
        return Text(f"{secret.layer:>4} {gone:<6} {secret.kind:<20} /{shown(secret.path)}")


class SecretsScreen(ModalScreen[Secret | None]):
    """Files that look like secrets; returns the one that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,p", "dismiss", "Close")]

    def __init__(self, secrets: Sequence[Secret]) -> None:
        super().__init__()
        self._secrets = secrets

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = "Secrets"
            window.border_subtitle = "Enter: go there   Esc: close"
            if not self._secrets:
                yield Static("No file of any layer looks like a secret.")
                return
            yield Static("  in → by   looks like           path", markup=False)
            yield _SecretList(self._secrets)

    def on_mount(self) -> None:
        """Measure the list."""
        for lines in self.query(_SecretList):
            lines.renew()
            lines.focus()

    @on(Lines.Chosen)
    def _go(self, event: Lines.Chosen) -> None:
        event.stop()
        self.dismiss(self.query_one(_SecretList).chosen)
