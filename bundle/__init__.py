"""BiMSRec: registration and fusion of multi-modal medical images as a MONAI bundle."""
