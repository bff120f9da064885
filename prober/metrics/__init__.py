"""Publishes measurements to CloudWatch."""
