"""Images over another base."""
