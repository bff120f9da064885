"""The checks: one file for each question that we ask over the wire."""
