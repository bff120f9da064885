"""From an endpoint to a saved report: runner, cycle, scheduler."""
