"""What others' CI takes from this repository."""
