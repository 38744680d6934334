"""The mathematics and the networks: no files, no flags, no concrete task."""
