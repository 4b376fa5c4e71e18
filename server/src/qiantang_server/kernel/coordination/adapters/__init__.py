"""Adapters of the coordination port."""
