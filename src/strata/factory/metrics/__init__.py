"""What is measured of an answer, one file each."""
