"""A module that cannot be imported."""

raise ModuleNotFoundError("No module named 'orders'")
