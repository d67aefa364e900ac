"""Grids, displacement fields and transforms: one implementation of each conversion."""
