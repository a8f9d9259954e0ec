"""The AI factory: evaluation sets and runs, so that a change is measured before it is released."""
