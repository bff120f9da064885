"""What the function's own log says about our requests: the only place that knows a cold start for certain."""
