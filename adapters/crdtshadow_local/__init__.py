"""Shadows on one machine, in a SQLite file."""
