"""Progress that a test can look at afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Recorder:
    """Remembers what progress was told; see `lamella.progress.Progress`."""

    phases: list[str] = field(default_factory=list)  # names, as they began
    totals: dict[str, int | None] = field(default_factory=dict)  # bytes to do, by phase
    bytes: dict[str, int] = field(default_factory=dict)  # bytes done, by phase
    notes: list[str] = field(default_factory=list)  # told to every user
    lines: list[str] = field(default_factory=list)  # notes, and what `debug` told

    def phase(self, name: str, total: int | None = None) -> None:
        """Remember that a phase began."""
        self.phases.append(name)
        self.totals[name] = total

    def advance(self, amount: int) -> None:
        """Add to the bytes of the phase that runs."""
        phase = self.phases[-1]
        self.bytes[phase] = self.bytes.get(phase, 0) + amount

    def note(self, message: str) -> None:
        """Remember a line for the user."""
        self.notes.append(message)
        self.lines.append(message)

    def debug(self, message: str) -> None:
        """Remember a line for whoever looks for a fault."""
        self.lines.append(message)
