"""How vendors are reached: connections, streams, signatures and tokens."""
