"""Layers that are kept only in part.

- `headers`: what a scan needs; `listings`: the same, remembered for the next run
- `sieve`: all but what newer layers take away
"""
