"""Shows what the prober stored, as pages and as JSON."""
