"""The fields of an image's documents, with their types, as Go programs read them.

https://github.com/opencontainers/image-spec/tree/main/specs-go/v1 for OCI's and Docker's documents;
``manifest.json`` of a docker-archive is Docker's own. A field that is not here is kept as it is.
"""

from __future__ import annotations

from lamella.spec.json import ANY, BOOLEAN, INTEGER, TEXT, Fields, Many, Named

__all__ = ["ARCHIVE_ENTRY", "CONFIG", "DESCRIPTOR", "INDEX", "MANIFEST"]

_ANNOTATIONS = Named(TEXT)

_PLATFORM = {
    "architecture": TEXT,
    "os": TEXT,
    "os.version": TEXT,
    "os.features": Many(TEXT),
    "variant": TEXT,
}

_DESCRIPTOR = {
    "mediaType": TEXT,
    "digest": TEXT,
    "size": INTEGER,
    "urls": Many(TEXT),
    "annotations": _ANNOTATIONS,
    "data": TEXT,
    "platform": Fields(_PLATFORM, is_pointer=True),
    "artifactType": TEXT,
}
DESCRIPTOR = Fields(_DESCRIPTOR)

_COMMON = {
    "schemaVersion": INTEGER,
    "mediaType": TEXT,
    "artifactType": TEXT,
    "subject": Fields(_DESCRIPTOR, is_pointer=True),
    "annotations": _ANNOTATIONS,
}
MANIFEST = Fields(
    {**_COMMON, "config": DESCRIPTOR, "layers": Many(DESCRIPTOR), "blobs": Many(DESCRIPTOR)}
)
"""With the ``blobs`` of what once was OCI's artifact manifest."""
INDEX = Fields({**_COMMON, "manifests": Many(DESCRIPTOR)})

_SETTINGS = Fields(
    {
        "User": TEXT,
        "ExposedPorts": Named(Fields({})),
        "Env": Many(TEXT),
        "Entrypoint": ANY,  # a list; Docker takes text, too
        "Cmd": ANY,  # as above
        "Volumes": Named(Fields({})),
        "WorkingDir": TEXT,
        "Labels": _ANNOTATIONS,
        "StopSignal": TEXT,
        "ArgsEscaped": BOOLEAN,
    }
)
_HISTORY_ENTRY = Fields(
    {
        "created": TEXT,
        "created_by": TEXT,
        "author": TEXT,
        "comment": TEXT,
        "empty_layer": BOOLEAN,
    }
)
CONFIG = Fields(
    {
        **_PLATFORM,
        "created": TEXT,
        "author": TEXT,
        "config": _SETTINGS,
        "rootfs": Fields({"type": TEXT, "diff_ids": Many(TEXT)}),
        "history": Many(_HISTORY_ENTRY),
    }
)

ARCHIVE_ENTRY = Fields({"Config": TEXT, "RepoTags": Many(TEXT), "Layers": Many(TEXT)})
