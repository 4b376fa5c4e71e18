"""Rules of identity: pure decisions, without rows, clock or network."""
