"""argv to exit code: the only place that prints, reads the environment and exits."""
