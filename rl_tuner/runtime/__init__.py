"""The training loop, checkpoints, summaries, devices, gin, export and reports."""
