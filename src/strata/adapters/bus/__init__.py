"""Deliverers of events, each over the outbox of a records store."""
