"""Every source of images into every destination.

``python -m tests.transport_pairs`` writes the table of docs/transports.md anew.
"""
