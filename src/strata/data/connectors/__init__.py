"""One file for each kind of place that documents come from."""
