"""Kernel of the sdk: what every capability stands on, and no capability itself."""
