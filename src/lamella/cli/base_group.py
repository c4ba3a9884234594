"""What a group of commands says of one that it does not have."""

from __future__ import annotations

import click

from lamella.nearest import did_you_mean

__all__ = ["CommandGroup"]


class CommandGroup(click.Group):
    """A group that offers the nearest of its commands for one that is mistyped."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names.

        Raises:
            click.UsageError: there is none.
        """
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"unknown command {name!r}{did_you_mean(name, known)}", ctx)
        return super().resolve_command(ctx, args)
