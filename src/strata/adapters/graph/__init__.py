"""Stores of statements."""
