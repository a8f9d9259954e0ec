"""One file for each family of formats: it offers `MEDIA`, the media types that it reads, and `make() -> Parser`."""
