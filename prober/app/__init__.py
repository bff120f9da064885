"""The composition root: the only package that knows all the others, the clock and the environment."""
