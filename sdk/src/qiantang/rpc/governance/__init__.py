"""Governance: what may call, how often, and what happens when it goes wrong. Pure: time and chance come in."""
