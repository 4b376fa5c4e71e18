"""Rules of the registry: who may register what, and how lists are written for streams. Pure."""
