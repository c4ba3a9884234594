"""What an image says of itself, said otherwise: settings, labels, annotations, secrets hidden.

All of it works on raw JSON values, so what lamella does not know survives.
"""
