"""Stores of small records, changed all or nothing."""
