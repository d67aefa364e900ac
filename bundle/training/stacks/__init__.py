"""Slices of whole stacks, MRI with CT, PET or SPECT on one grid, as training pairs."""
