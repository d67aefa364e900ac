"""From a registered pair to the fused image."""
