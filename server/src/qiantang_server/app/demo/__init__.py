"""Demo: a small shop whose settings live in the center, with its people and its history, to be looked at and played with."""
