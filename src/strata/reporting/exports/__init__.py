"""Forms in which charges leave for other programs, one file each."""
