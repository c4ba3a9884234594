"""What an engine says of images and of itself: the fields that lamella reads, with their types.

https://docs.docker.com/reference/api/engine/version/v1.41/; Podman answers alike. Other fields of
an answer stay as they are.
"""

from __future__ import annotations

from lamella.spec.json import ANY, BOOLEAN, INTEGER, TEXT, Fields, Many, Named

__all__ = ["HISTORY", "IMAGE", "IMAGES", "INFO"]

IMAGE = Fields(
    {
        "Id": TEXT,
        "RepoTags": Many(TEXT),
        "Created": TEXT,
        "Architecture": TEXT,
        "Variant": TEXT,
        "Os": TEXT,
        "Config": Named(ANY),  # read when a config is made of it
        "RootFS": Fields({"Type": TEXT, "Layers": Many(TEXT)}),
        "GraphDriver": Fields({"Name": TEXT, "Data": Named(ANY)}),
        "Manifests": Many(Fields({"ID": TEXT, "Available": BOOLEAN})),
    }
)
"""``GET /images/NAME/json``."""

IMAGES = Many(Fields({"Id": TEXT, "RepoTags": Many(TEXT)}))
"""``GET /images/json``."""

HISTORY = Many(
    Fields(
        {
            "Id": TEXT,
            "Created": INTEGER,
            "CreatedBy": TEXT,
            "Tags": Many(TEXT),
            "Size": INTEGER,
            "Comment": TEXT,
        }
    )
)
"""``GET /images/NAME/history``, newest first."""

INFO = Fields(
    {
        "Driver": TEXT,
        "DriverStatus": Many(Many(TEXT)),
        "DockerRootDir": TEXT,
        "SecurityOptions": Many(TEXT),
    }
)
"""``GET /info``."""
