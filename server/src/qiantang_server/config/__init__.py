"""Configuration: namespaces of settings, their drafts, releases and delivery to applications."""
