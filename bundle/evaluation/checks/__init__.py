"""Checks of a network that are no measures: does it hold up, can it learn."""
