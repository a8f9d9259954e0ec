"""Strata: knowledge assistants for organisations that answer to a regulator."""

__version__ = "0.1.0"
