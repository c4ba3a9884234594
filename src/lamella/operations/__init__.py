"""What lamella does, a file for each verb.

- `request`, `result`: what is asked for, and what was done, as facts
- `squash`: one image, from request to result; `squash_index`: every image of an index
- `merge_layers`: the middle of a squash: plan, merged layers, config, manifest
- `planning`: each range of layers into the plan of the layer that takes its place
- `choose`: the layers, where the user named none; `conversion`: what a destination stores otherwise
- `analyze`, `verify`: where the bytes go; whether two images are the same
- `remembered`: what is known of layers from earlier runs
"""
