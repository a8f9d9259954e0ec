"""Judges whether a text tries to steer a model: reading it as a model would, features, and a small trained classifier."""
