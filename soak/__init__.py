"""Long random checks of the whole: see `make soak`."""
