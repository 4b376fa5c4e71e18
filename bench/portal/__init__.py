"""Benchmark of the portal: what a browser loads, how soon it shows something, and how the stream holds up."""
