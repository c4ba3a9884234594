"""Many images: what there is, one task for each, and who does them."""
