"""Tasks: kinds of sequences with their rewards, metrics and presentation."""
