"""Search indexes of chunks."""
