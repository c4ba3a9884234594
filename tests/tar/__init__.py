"""Tars, byte by byte."""
