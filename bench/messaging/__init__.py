"""Benchmark of messaging."""
