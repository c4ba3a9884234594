"""What an image says of itself, said otherwise."""
