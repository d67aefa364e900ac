"""BiMSRec: registration and fusion of multi-modal medical images as a MONAI bundle."""

__version__ = "0.11.0"
