"""Functions and their instances: cold starts, one event at a time, freezing, crashes, time limits."""
