"""Measures, reference rows, baselines and tables."""
