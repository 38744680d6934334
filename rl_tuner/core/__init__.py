"""The algorithm and the networks, independent of files, flags and particular tasks."""
