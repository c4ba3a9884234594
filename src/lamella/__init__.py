"""Squash layers of container images, and leave every other layer as it is."""

__all__ = ["__version__"]

__version__ = "0.1.0"
