"""Layers of which only a part is kept.

- `headers`: what a scan needs; `listings`: the same, remembered for the next run
- `sieve`: all but what newer layers take away
"""
