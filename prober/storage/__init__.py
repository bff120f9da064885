"""Postgres and nothing but."""
