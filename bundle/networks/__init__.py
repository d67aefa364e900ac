"""The network of the paper, one part per file."""

from bundle.networks.bimsrec import BiMSRec

__all__ = ["BiMSRec"]
