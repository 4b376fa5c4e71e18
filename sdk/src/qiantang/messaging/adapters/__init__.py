"""Adapters: one for each kind of broker, found by entry points."""
