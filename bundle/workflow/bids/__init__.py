"""Datasets in the layout of BIDS: their pairs, and results as BIDS derivatives."""
