"""Tests of images in files and folders."""
