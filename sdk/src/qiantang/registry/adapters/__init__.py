"""Adapters of the registry, found by their entry points."""
