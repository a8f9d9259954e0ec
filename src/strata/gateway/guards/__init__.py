"""What stands over a call: which guardrails, where its data may go, and what they find with."""
