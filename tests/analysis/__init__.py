"""What an analysis finds, against what a squash really does."""
