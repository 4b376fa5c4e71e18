"""Adapters of the release cache's port."""
