"""Where images live; each file one place."""
