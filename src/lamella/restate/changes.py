"""What is to be otherwise in an image's documents, and the documents that come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lamella.analysis.hidden import HIDDEN
from lamella.errors import UsageError
from lamella.restate.redact import NO_REDACTION, Redaction
from lamella.restate.settings import Settings
from lamella.spec.config import Config, format_json
from lamella.spec.manifest import Index, Manifest

if TYPE_CHECKING:
    from lamella.restate.instructions import Instruction

__all__ = ["NO_CHANGES", "Changes", "texts_of"]


@dataclass(frozen=True)
class Changes:
    """In this order: instructions, then what is unset, then what is redacted."""

    instructions: tuple[Instruction, ...] = ()
    unset_env: frozenset[str] = frozenset()
    unset_label: frozenset[str] = frozenset()
    redaction: Redaction = NO_REDACTION

    @classmethod
    def parse(
        cls,
        change: str | Sequence[str] = (),
        unset_env: str | Sequence[str] = (),
        unset_label: str | Sequence[str] = (),
        redact_names: str | Sequence[str] = (),
        *,
        redact: bool = False,
    ) -> Changes:
        """Read what a user asks for.

        Raises:
            UsageError: something of it makes no sense for any image.
        """
        return cls(
            _parsed(texts_of(change)),
            frozenset(_names("unset_env", unset_env, "=")),
            frozenset(_names("unset_label", unset_label)),
            Redaction(redact, tuple(_names("redact_names", redact_names))),
        )

    def keeping(self, kept: frozenset[str]) -> Changes:
        """Return the same, with values that look like secrets and stay."""
        return replace(self, redaction=replace(self.redaction, kept=kept)) if kept else self

    def to_json(self) -> dict[str, Any]:
        """Return the parameters that were given, as JSON values; secrets in them are hidden."""
        hiding = replace(self.redaction, likely=True)
        return {
            "change": [hiding.apply(one.text, frozenset(), HIDDEN) for one in self.instructions],
            "unset_env": sorted(self.unset_env),
            "unset_label": sorted(self.unset_label),
            "redact": self.redaction.likely or None,
            "redact_names": list(self.redaction.names),
        }

    def config_value(
        self, value: Mapping[str, Any], secrets: frozenset[str] = frozenset()
    ) -> Mapping[str, Any]:
        """Return a config with all of it, of which what is unknown stays.

        Args:
            value: the config.
            secrets: values that go wherever they are; see `Redaction.values_in`.

        Raises:
            UsageError: an instruction makes no sense for this config.
            MalformedImage: a field that an instruction adds to is of another type.
        """
        settings = Settings(value.get("config"), value.get("os") or "")
        if self.instructions:
            from lamella.restate.instructions import apply_instructions  # noqa: PLC0415 - few ask

            apply_instructions(self.instructions, settings)
        settings.unset_variables(self.unset_env)
        settings.unset_labels(self.unset_label)
        old = value.get("config") or {}
        changed = value if settings.value == old else {**value, "config": settings.value}
        found: Mapping[str, Any] = self.redaction.apply(dict(changed), secrets)
        return found

    def config(self, config: Config, secrets: frozenset[str] = frozenset()) -> Config:
        """Do the same for a config; the very same one if nothing changes."""
        value = self.config_value(config.value, secrets)
        if value == config.value:
            return config
        return Config.parse(format_json(value), "new config")

    def manifest(self, manifest: Manifest, secrets: frozenset[str]) -> Manifest:
        """Return a manifest without what is redacted; the very same one if there is nothing."""
        value = self.redaction.apply(dict(manifest.value), secrets)
        if value == manifest.value:
            return manifest
        return Manifest.parse(format_json(value), "new manifest")

    def index(self, index: Index, secrets: frozenset[str]) -> Index:
        """Do the same for an index."""
        value = self.redaction.apply(dict(index.value), secrets)
        return index if value == index.value else Index.parse(format_json(value), "new index")

    def unused(self, config: Config) -> Iterator[str]:
        """Yield what is to be unset, but is not there."""
        settings = config.value.get("config") or {}
        env = {line.partition("=")[0] for line in settings.get("Env") or ()}
        for name in sorted(self.unset_env - env):
            yield f"`unset_env` {name}: the image has no such variable"
        for name in sorted(self.unset_label - (settings.get("Labels") or {}).keys()):
            yield f"`unset_label` {name}: the image has no such label"


NO_CHANGES = Changes()


def texts_of(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return one text or several as several."""
    return (given,) if isinstance(given, str) else tuple(given)


def _parsed(texts: Sequence[str]) -> tuple[Instruction, ...]:
    if not texts:
        return ()
    from lamella.restate.instructions import parse_instruction  # noqa: PLC0415 - few squashes ask

    return tuple(map(parse_instruction, texts))


def _names(parameter: str, given: str | Sequence[str], without: str = "") -> Iterable[str]:
    for name in texts_of(given):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UsageError(f"`{parameter}`: expected UTF-8, got {name!a:.200}") from None
        if not name or (without and without in name):
            raise UsageError(f"`{parameter}` {name!r:.200}: expected a name")
        yield name
