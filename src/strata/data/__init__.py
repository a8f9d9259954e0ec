"""The data layer: documents staged, parsed, split, embedded, indexed and found, each passage for its readers only."""
