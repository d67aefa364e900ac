"""What the Ignite engines of MONAI run per batch, and what they report."""
