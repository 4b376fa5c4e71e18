"""Stacks: ours and its peers, each with a `serve` that gives its address, and a `measure` that calls it."""
