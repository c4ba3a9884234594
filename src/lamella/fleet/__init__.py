"""Many images at once: what they share, and what is best for all of them together."""
