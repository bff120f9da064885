"""Credentials that are made: AWS signatures over requests, and access tokens from a token endpoint."""
