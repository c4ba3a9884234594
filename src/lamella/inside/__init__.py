"""An image that is open: its layers as streams, its files, all of its files as one tar."""
