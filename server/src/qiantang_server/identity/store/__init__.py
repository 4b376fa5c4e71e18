"""Rows of identity. Every statement about them stands here and nowhere else."""
