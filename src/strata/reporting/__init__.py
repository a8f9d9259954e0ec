"""Reporting: usage, cost, budgets, alarms and the audit record, made from facts; it never reads a document or prompt."""
