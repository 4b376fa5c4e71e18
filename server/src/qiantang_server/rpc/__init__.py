"""Calls between services: what governs them is published here, and who calls is told here."""
