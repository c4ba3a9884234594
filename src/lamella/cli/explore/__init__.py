"""The screen of ``lamella explore``: layers on one side, files on the other."""
