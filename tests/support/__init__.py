"""What the tests of the core are written with: tars, images, a squash in memory."""
