"""`docker squash`: lamella as a plugin of the docker command."""
