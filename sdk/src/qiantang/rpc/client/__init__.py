"""Client: what calls a service."""
