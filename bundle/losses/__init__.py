"""The losses of the paper's section 2.5."""

from bundle.losses.combined import BiMSRecLoss

__all__ = ["BiMSRecLoss"]
