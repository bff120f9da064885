"""What stands between a client and a function: the part of Lambda that a client can see."""
