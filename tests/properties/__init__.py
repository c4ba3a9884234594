"""What must hold for every image."""
