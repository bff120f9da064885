"""The same facts as JSON, and what programs may change."""
