"""Runs the checks on a timetable, remembers what they found, and tells people and machines."""
