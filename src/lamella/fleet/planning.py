"""From names of images to a plan for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamella.errors import UsageError
from lamella.fleet.best import FleetPlan, choose_plan
from lamella.fleet.scan import ends_of_bases, scan_fleet
from lamella.spec.platform import Platform
from lamella.transport.environment import Environment, used

__all__ = ["plan_fleet"]


def plan_fleet(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    references: Sequence[str],
    *,
    max_layers: int | None = None,
    keep: Sequence[str] = (),
    pulls: Mapping[str, int] | None = None,
    min_saved: int = 0,
    platform: str | None = None,
    env: Environment | None = None,
) -> FleetPlan:
    """Plan which layers of some images to squash, so that all of them together take least.

    Args:
        references: of the images; several names of one image are fine.
        max_layers: how many layers an image may have then.
        keep: bases whose layers stay as they are: references, or chain IDs of their last layers.
        pulls: how often images are pulled, by reference, for each time that their bytes are stored.
        min_saved: how many bytes each new layer must save.
        platform: ``OS/ARCH[/VARIANT]``, of images for several.
        env: how to reach them, and where layers are remembered; None: `Environment.from_env`.

    Raises:
        UsageError: there are no images, or what is asked for makes no sense.
        LamellaError: an image can't be read, or is malformed.
    """
    if not references:
        raise UsageError("no images: name some")
    wanted = Platform.parse(platform) if platform else None
    with used(env) as world:
        scanned = scan_fleet(references, wanted, world)
        ends = ends_of_bases(keep, scanned.catalogue, wanted, world)
        world.progress.phase("plan")
        return choose_plan(
            scanned.catalogue,
            scanned.sizes,
            max_layers=max_layers,
            keep=ends,
            pulls=pulls,
            min_saved=min_saved,
        )
