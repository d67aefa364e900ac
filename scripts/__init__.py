"""Commands of the bundle, run as ``python -m scripts.NAME``."""
