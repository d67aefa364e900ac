"""From a loaded pair to the transform between its images."""
