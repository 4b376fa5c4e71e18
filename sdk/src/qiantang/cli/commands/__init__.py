"""Commands that belong to no capability."""
