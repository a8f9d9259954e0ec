"""The ports, for real: one folder a port, one file a store; the file's name is the scheme that settings use."""
