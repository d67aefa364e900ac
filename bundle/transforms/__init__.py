"""Transforms of the training data that MONAI does not have."""
