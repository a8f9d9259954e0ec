"""How a call finds a deployment that answers: choosing, waiting for room, failing over, trying again, copying."""
