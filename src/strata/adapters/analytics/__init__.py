"""Append-only tables for reports."""
