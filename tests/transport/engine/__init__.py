"""Tests of images in engines."""
