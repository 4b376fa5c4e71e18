"""Rows of the registry."""
