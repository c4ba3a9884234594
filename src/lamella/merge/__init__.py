"""Layers into one: read headers, lay them over each other, plan, emit."""
