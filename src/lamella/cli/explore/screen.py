"""What is where on the screen, and what the keys do."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from lamella.analysis.browse import ALL, CHANGES, Filter, SearchResult, View
from lamella.analysis.contents import FileReader
from lamella.analysis.model import Dead, Secret
from lamella.cli.explore.around import Keys, Told
from lamella.cli.explore.at_hand import AtHand
from lamella.cli.explore.dialogs import FilterScreen, HelpScreen, SecretsScreen, WorstScreen
from lamella.cli.explore.files import FileTree, FoundList
from lamella.cli.explore.layers import LayerList, layer_facts
from lamella.cli.explore.leaving import LeftOut, LeftOutScreen
from lamella.cli.explore.lines import Lines
from lamella.cli.explore.squashing import Squasher, SquashScreen, layers_to_squash, saving_text
from lamella.cli.explore.windows import TextScreen
from lamella.operations.analyze import Explored
from lamella.operations.result import Result
from lamella.report.analyze import best_savings, head
from lamella.report.details import config_lines, layer_lines
from lamella.report.text import human_size
from lamella.transport.location import Suggestion

__all__ = ["ImageScreen"]

_PAUSE = 0.1
"""Seconds without a key before a search, or the sums of another layer, are begun."""
_VIEWS_KEPT = 8
_BOTH = (True, False)


class ImageScreen(Screen[None]):
    """Layers on one side, files on the other, and below what a squash would bring."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help"),
        # Before any other widget has a look at it: what is typed ahead goes into the search.
        Binding("slash", "search", "Search", priority=True),
        Binding("f", "filter", "Filter"),
        Binding("space", "mark", "Mark"),
        Binding("b", "best", "Best"),
        Binding("s", "squash", "Squash"),
        Binding("w", "worst", "Worst"),
        Binding("p", "secrets", show=False),
        Binding("i", "config", show=False),
        Binding("d", "details", show=False),
        Binding("e", "leave_out", show=False),
        Binding("E", "left_out", show=False),
        Binding("v", "view", show=False),
        Binding("x", "save", show=False),
        Binding("y", "copy", show=False),
        Binding("o", "sort", show=False),
        Binding("escape", "back", show=False),
    ]

    def __init__(
        self, explored: Explored, squasher: Squasher, suggestion: Suggestion, results: list[Result]
    ) -> None:
        super().__init__()
        self._analysis, self._contents = explored.analysis, explored.contents
        self._image = explored.image
        self._reader = FileReader(explored.contents, explored.tars)
        self._squasher, self._suggestion, self._results = squasher, suggestion, results
        self._marks = LeftOut(explored.contents.live)
        self._changes, self._smallest = CHANGES, 0
        self._view: View | None = None
        self._number = 0
        self._target: bytes | None = None
        """Where to go in the next view."""
        self._pauses: dict[str, Timer] = {}
        self._view_of = lru_cache(_VIEWS_KEPT)(self._make_view)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        self._layers = LayerList(self._analysis)
        self._files, self._found = FileTree(self._marks), FoundList(self._marks)
        self._search = Input(placeholder="name, or part/of/a/path", id="search")
        self._search.border_title = "Search"
        self._search.border_subtitle = "Enter: go to the list   Esc: end search"
        self._facts, self._details, self._range = Told("facts"), Told("details"), Told("range")
        yield Static(head(self._analysis), id="head", markup=False)
        with Horizontal():
            with Vertical(id="left"):
                yield self._layers
                yield self._facts
            with Vertical(id="right"):
                yield self._files
                yield self._found
                yield self._search
                yield self._details
        yield self._range
        yield Keys()

    def on_mount(self) -> None:
        """Show the image."""
        self._found.display = self._search.display = False
        self._layers.renew()
        self.set_focus(self._layers)
        self._show_range()
        self._load(0)

    def _later(self, what: str, do: Callable[[], object]) -> None:
        """Do something when no key has been pressed for a moment."""
        if what in self._pauses:
            self._pauses[what].stop()
        self._pauses[what] = self.set_timer(_PAUSE, do)

    # -- layers

    @on(Lines.Moved, "#layers")
    def _layer_moved(self) -> None:
        number = self._layers.cursor
        self._facts.tell(layer_facts(self._analysis, number))
        self._later("view", lambda: self._load(number))

    @on(Lines.Chosen, "#layers")
    def _layer_chosen(self) -> None:
        self.set_focus(self._files)

    def _make_view(self, number: int) -> View:
        return self._contents.layer(number) if number else self._contents.image()

    @work(thread=True, exclusive=True, group="view")
    def _load(self, number: int) -> None:
        view = self._view_of(number)
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._show_view, view, number)

    def _show_view(self, view: View, number: int) -> None:
        self._view, self._number = view, number
        self._facts.tell(layer_facts(self._analysis, number))
        self._refilter()
        if self._target is not None:
            self._go_to(self._target)
            self._target = None

    # -- files

    @property
    def _wanted(self) -> Filter:
        """Nothing in the image is a change."""
        return Filter(self._changes if self._number else ALL, self._smallest)

    def _refilter(self) -> None:
        if self._view is None:
            return
        self._files.show(self._view, self._wanted, image=not self._number)
        root = self._view.root()
        where = f"layer {self._number}" if self._number else "the image"
        moved = f": +{human_size(root.new)}, -{human_size(root.gone)}" if self._number else ""
        self._files.border_title = f"Files of {where}{moved or f': {human_size(root.size)}'}"
        self._show_how()
        self._show_details()
        if self._search.display:
            self._begin_search()

    def _show_how(self) -> None:
        """Tell which rows are shown in which order, and what can be done with one."""
        least = f"at least {human_size(self._smallest)}  " if self._smallest else ""
        self._files.border_subtitle = self._files.keys_text(least)

    def on_resize(self) -> None:
        """There is another width for it."""
        self.call_after_refresh(self._show_how)

    # -- the file at hand

    def _at_hand(self) -> AtHand | None:
        shown = self._found if self._found.display else self._files
        if self._view is None or shown.at_hand is None:
            return None
        return AtHand(self._reader, self._view, *shown.at_hand, image=not self._number)

    @on(Lines.Moved, "#files, #found")
    def _show_details(self) -> None:
        at_hand = self._at_hand()
        self._details.tell(at_hand.lines() if at_hand else ())

    def action_details(self) -> None:
        """Show all there is to say of the file at hand, or of the layer."""
        number = self._layers.cursor
        if self.focused is self._layers:
            if number:
                lines, revealed = (layer_lines(self._analysis, number, hide=h) for h in _BOTH)
                self.app.push_screen(TextScreen(f"Layer {number}", lines, revealed))
            else:
                self.action_config()
        elif at_hand := self._at_hand():
            self.app.push_screen(at_hand.details())

    def action_view(self) -> None:
        """Show the content of the file at hand."""
        if at_hand := self._at_hand():
            self._push_or_say(at_hand.viewer())

    def action_save(self) -> None:
        """Ask where to save the file at hand."""
        if at_hand := self._at_hand():
            self._push_or_say(at_hand.saver())

    def _push_or_say(self, window: Screen[None] | str) -> None:
        if isinstance(window, str):
            self.notify(window, markup=False)
        else:
            self.app.push_screen(window)

    def action_copy(self) -> None:
        """Copy the path of the file at hand, by the terminal (OSC 52)."""
        if at_hand := self._at_hand():
            self.app.copy_to_clipboard(at_hand.shown_path)
            self.notify(f"copied: {at_hand.shown_path}", markup=False, timeout=2)

    def action_sort(self) -> None:
        """Take the next order."""
        self._files.sort()
        self._show_how()

    def _go_to(self, path: bytes) -> None:
        self._end_search()
        self._files.reveal(path)
        self.set_focus(self._files)

    def action_filter(self) -> None:
        """Ask which rows are wanted."""

        def apply(wanted: Filter | None) -> None:
            if wanted is not None:
                self._changes, self._smallest = wanted
                self._refilter()

        self.app.push_screen(FilterScreen(Filter(self._changes, self._smallest)), apply)

    def action_worst(self) -> None:
        """Show the worst dead paths; go to the one that is chosen, in the layer that made it."""

        def go(dead: Dead | None) -> None:
            if dead is not None:
                self._target = dead.path
                self._layers.cursor = dead.layer
                self._load(dead.layer)

        self.app.push_screen(WorstScreen(self._analysis.dead), go)

    def action_secrets(self) -> None:
        """Show the secrets that were found; go to the one that is chosen."""

        def go(secret: Secret | None) -> None:
            if secret is not None:
                self._target = secret.path
                self._layers.cursor = secret.layer
                self._load(secret.layer)

        self.app.push_screen(SecretsScreen(self._analysis.secrets or ()), go)

    def action_config(self) -> None:
        """Show what the image's config says."""
        if self._image is not None:
            lines, revealed = (config_lines(self._image, hide=hide) for hide in _BOTH)
            self.app.push_screen(TextScreen("Image", lines, revealed))

    # -- what is left out

    def action_leave_out(self) -> None:
        """Mark the file at hand to be left out, or keep it."""
        if at_hand := self._at_hand():
            refused = self._marks.toggle(at_hand.path)
            if refused:
                self.notify(refused, markup=False)
            self._show_marks()

    def _show_marks(self) -> None:
        self._layers.tell_left_out(self._marks.text() if self._marks else "")
        self._files.refresh()
        self._found.refresh()

    def action_left_out(self) -> None:
        """Show what is marked; go to the one that is chosen."""

        def go(path: bytes | None) -> None:
            self._show_marks()
            if path is not None:
                self._target = path
                self._layers.cursor = 0
                self._load(0)

        self.app.push_screen(LeftOutScreen(self._marks), go)

    # -- search

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a path that is searched for a slash is a slash."""
        del parameters
        return action != "search" or self.focused is not self._search

    def action_search(self) -> None:
        """Ask for what to search."""
        self._search.display = True
        self.set_focus(self._search)

    @on(Input.Changed, "#search")
    def _typed(self) -> None:
        self._later("search", self._begin_search)

    def _begin_search(self) -> None:
        text = self._search.value
        if text and self._view is not None:
            self._run_search(self._view, text, self._wanted, self._number)
        else:
            self._found.display, self._files.display = False, True

    @work(thread=True, exclusive=True, group="search")
    def _run_search(self, view: View, text: str, wanted: Filter, number: int) -> None:
        worker = get_current_worker()
        needle = text.encode("utf-8", "surrogateescape")
        found = view.search(needle, wanted, stop=lambda: worker.is_cancelled)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show_found, found, image=not number)

    def _show_found(self, found: SearchResult, *, image: bool) -> None:
        if not self._search.display:
            return
        shown = len(found.rows)
        first = f", the first {shown}" if shown < found.total else ""
        where = "the image" if image else f"layer {self._number}"
        self._found.border_title = f"Found: {found.total} in {where}{first}"
        self._found.display, self._files.display = True, False
        self._found.show(found, image=image)

    @on(Input.Submitted, "#search")
    def _search_submitted(self) -> None:
        self.set_focus(self._found)

    @on(Lines.Chosen, "#found")
    def _found_chosen(self) -> None:
        self._go_to(self._found.path)

    def _end_search(self) -> None:
        self.workers.cancel_group(self, "search")
        self._search.display = self._found.display = False
        self._files.display = True
        self._search.value = ""

    def action_back(self) -> None:
        """End the search, or unmark the range."""
        if self._search.display:
            self._end_search()
            self.set_focus(self._files)
        else:
            self._layers.unmark()

    # -- ranges

    def action_mark(self) -> None:
        """Set one end of the range, or the other."""
        self._layers.mark()

    def action_best(self) -> None:
        """Mark the range that saves most."""
        best = best_savings(self._analysis)
        if best:
            self._layers.mark_range(best[0].first, best[0].last)

    @on(LayerList.Marked)
    def _show_range(self) -> None:
        marked = self._layers.range
        if marked:
            self._range.tell([saving_text(self._analysis.savings[marked])])
            return
        best = best_savings(self._analysis)
        hint = f"best: {saving_text(best[0])} (b)" if best else "no squash would make it smaller"
        self._range.tell([hint])

    def action_squash(self) -> None:
        """Ask what the result is to be called, and squash the marked range."""
        ends = layers_to_squash(self._analysis, self._layers.range, self._marks)
        if ends is None:
            self.notify("mark a range of layers first: Space at one end, Space at the other")
            return
        saving, done = self._analysis.savings[ends], self._results.append
        window = SquashScreen(saving, self._squasher, done, self._suggestion, self._marks)
        self.app.push_screen(window)

    def action_help(self) -> None:
        """Show which key does what."""
        self.app.push_screen(HelpScreen())
