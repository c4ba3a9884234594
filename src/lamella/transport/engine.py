"""``docker-daemon:NAME``, ``podman:NAME``: images in an engine, over the Docker API.

Nothing that the engine has already is moved: of a save only the squashed layers are kept, and a
load leaves out the layers that stay. What was loaded is looked at before it gets its name.

- `engine_host`: which engine; `engine_line`: how it is reached; `engine_client`: questions and
  answers
- `engine_source`, `engine_history`, `engine_save`, `engine_image`: reading
- `engine_disk`, `podman_disk`, `disk`: reading where the engine keeps it
- `engine_destination`, `engine_load`, `engine_upload`: writing; `engine_names`: what images are
  called
- `podman`: where Podman listens; `podman_service`: what listens where nobody did
"""

from __future__ import annotations

from lamella.transport.engine_destination import EngineDestination
from lamella.transport.engine_host import EngineOptions
from lamella.transport.engine_source import EngineSource

__all__ = ["EngineDestination", "EngineOptions", "EngineSource"]
