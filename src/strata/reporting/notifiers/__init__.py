"""Ways to tell somebody of an alarm, one file each."""
