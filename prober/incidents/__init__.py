"""Decides, purely, when an endpoint's state changes and what to say about it."""
