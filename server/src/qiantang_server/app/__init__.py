"""App: the control plane as a process. The table of contents, the wiring, and the commands that start it."""
