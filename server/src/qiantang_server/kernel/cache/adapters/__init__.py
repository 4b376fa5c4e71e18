"""Adapters of the release cache, one module each."""
