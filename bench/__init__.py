"""Benchmarks: one folder per capability, run with `make bench BENCH=<name>`; the last line is one JSON object."""
