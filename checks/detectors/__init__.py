"""The detectors: one file for each family of causes, read from evidence alone."""
