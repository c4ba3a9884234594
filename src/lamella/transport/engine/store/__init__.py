"""How engines keep layers on their disk: read in place, without the engine moving a byte.

- `base`: a layer in a store; `docker`, `podman`: where an image's parts are
- `tar_split`, `split_index`: the headers that engines note when they unpack a layer, and its tar
  put together again; `files_below`: files of which no link leads out
"""
