"""Many images: which there are, one task for each and who does it; and what is best for all."""
