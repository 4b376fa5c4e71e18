"""Configuration: typed, live settings that the control plane delivers to applications."""
