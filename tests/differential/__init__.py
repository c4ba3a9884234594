"""What lamella reads, held against what engines read it with: Go's own standard library."""
