"""Benchmark of calls between services."""
