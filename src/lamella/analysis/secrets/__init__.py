"""Secrets in an image: in files by their names and content, and in what the config says."""
