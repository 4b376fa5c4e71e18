"""Provider: what answers for a service."""
