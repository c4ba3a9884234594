"""The list of layers, in which a range is marked."""

from __future__ import annotations

from rich.text import Text
from textual.message import Message

from lamella.analysis.hidden import shown_instruction
from lamella.analysis.model import Analysis, LayerFacts
from lamella.cli.explore.lines import Lines
from lamella.report.text import causes_text, count_of, human_size, one_line, printable

__all__ = ["LayerList", "layer_facts"]

_NOTED = 0.005


class LayerList(Lines):
    """The image, and below it its layers, base first."""

    BORDER_TITLE = "Layers"
    BORDER_SUBTITLE = "p Secrets  i Image"

    class Marked(Message):
        """Another range is marked."""

    def __init__(self, analysis: Analysis) -> None:
        super().__init__(id="layers")
        self._analysis = analysis
        self._ends: list[int] = []

    @property
    def number(self) -> int:
        """The layer that the cursor is on; 0: the image."""
        return self.cursor

    @property
    def range(self) -> tuple[int, int] | None:
        """First and last layer marked; the second end goes with the cursor until it is set."""
        if not self._ends:
            return None
        first, last = sorted((self._ends[0], self._ends[-1] if self._ends[1:] else self.cursor))
        return max(1, first), last

    def tell_left_out(self, text: str) -> None:
        """Say what is marked to be left out; empty: nothing is."""
        self.border_subtitle = f"E {text}" if text else self.BORDER_SUBTITLE

    def mark(self) -> None:
        """Set one end of the range, then the other, then start again."""
        number = max(1, self.cursor)
        self._ends = [*self._ends, number] if len(self._ends) == 1 else [number]
        self._tell()

    def mark_range(self, first: int, last: int) -> None:
        """Mark layers `first` to `last`."""
        self._ends = [first, last]
        self._tell()

    def unmark(self) -> None:
        """Mark none."""
        self._ends = []
        self._tell()

    def _tell(self) -> None:
        self.refresh()
        self.post_message(self.Marked())

    def watch_cursor(self) -> None:
        """The range may go with the cursor."""
        super().watch_cursor()
        if len(self._ends) == 1:
            self._tell()

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self._analysis.layers) + 1

    def draw(self, index: int, width: int) -> Text:
        """Draw a layer: its number, size, what is dead of it, what made it."""
        del width
        found, marked = self._analysis, self.range
        if not index:
            text = Text("   all")
            _append(text, found.total, found.dead_bytes, "the image")
            return text
        layer = found.layers[index - 1]
        inside = marked is not None and marked[0] <= index <= marked[1]
        text = Text(f" {index:>5}")
        if inside:
            text = Text(f"┃{index:>5}", style="bold")
        _append(text, layer.size, layer.dead.total, _step(layer))
        return text


def _append(text: Text, size: int, dead: int, step: str) -> None:
    share = dead / size if size else 0.0
    text.append(f" {human_size(size):>8} ")
    text.append(f"{100 * share:4.0f}% " if share >= _NOTED else "      ")
    text.append(step)


def _step(layer: LayerFacts) -> str:
    return one_line(shown_instruction(layer.command)) or "no command recorded"


def _secrets(analysis: Analysis) -> str:
    if analysis.secrets is None:
        return "secrets were not looked for"
    count = len(analysis.secrets)
    return f"{count_of(count, 'likely secret')} (p)" if count else "no file looks like a secret"


def layer_facts(analysis: Analysis, number: int) -> list[str]:
    """Return what there is to say of a layer, or of the image (0)."""
    if not number:
        live, dead = human_size(analysis.live_bytes), human_size(analysis.dead_bytes)
        return [
            printable(" ".join((analysis.reference, *analysis.tags))),
            _secrets(analysis),
            f"live {live}, dead {dead}",
            f"dive's efficiency: {analysis.efficiency:.3f}",
        ]
    layer = analysis.layers[number - 1]
    causes = causes_text(layer.dead)
    return [
        _step(layer),
        printable(" ".join((layer.id[:12], *layer.tags))),
        f"entries: {layer.entries}, {count_of(layer.whiteouts, 'whiteout')}",
        f"dead: {causes}" if causes else "nothing dead",
    ]
