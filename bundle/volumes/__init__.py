"""Volumes in different grids: reading, the 3D start, and the total transform."""
