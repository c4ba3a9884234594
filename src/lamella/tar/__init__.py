"""Byte-exact tar; knows nothing of images."""
