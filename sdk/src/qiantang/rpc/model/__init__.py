"""Model: definitions of services, read off Python types."""
