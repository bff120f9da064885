"""One file per part of a deployment: what is wrong with it, as far as its configuration shows."""
