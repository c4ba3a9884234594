"""Where an image's bytes are, what of them is dead and why, and what each squash would gain."""
