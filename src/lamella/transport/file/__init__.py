"""Images in files and folders.

- `source`, `destination`: an archive, a stream or a layout as a place of images
- `docker_archive`, `oci_layout`, `oci_writer`: the two formats; `tarball`: archives of both
- `oci_folder`: a layout that many write at the same time; `atomic`, `folders`: outputs that are
  whole or not there, and that no other user decides about
"""
