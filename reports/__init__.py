"""A run as a page that a person can decide from, and the same content as data."""
