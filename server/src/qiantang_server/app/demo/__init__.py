"""Demo: a small application whose settings live in the center, to be looked at and played with."""
