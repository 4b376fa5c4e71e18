"""RPC: services call each other by their Python types, over a wire of their own, under rules (ADR 19)."""
