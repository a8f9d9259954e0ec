"""One file for each dialect that models speak; each offers `make(row, deployment) -> Provider`."""
