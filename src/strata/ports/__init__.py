"""The world outside, one small Protocol a file. `strata.testing` holds each promise as a test class."""
