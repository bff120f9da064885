"""References to secrets, resolved at probe time."""
