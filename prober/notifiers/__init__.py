"""Sends notices: one file per channel, and the delivery that claims them from the outbox."""
