"""Measures of fusion and registration, one per file, and the tables made of them."""
