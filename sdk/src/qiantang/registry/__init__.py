"""Registry: who provides which service, where, and in what state."""
