"""Benchmark of configuration: `make bench BENCH=config`."""
