"""What a deployment says of itself, in a template or alive in an account, judged before a client meets it."""
