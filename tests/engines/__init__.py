"""Real container engines for the tests: made by install.sh, started here, ended without a trace."""
