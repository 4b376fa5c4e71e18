"""Directories that list the servers, one module per kind."""
