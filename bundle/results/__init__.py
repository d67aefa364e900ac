"""What a registered and fused pair leaves on disk."""

from bundle.results.report import Report
from bundle.results.writing import parameters_of, write

__all__ = ["Report", "parameters_of", "write"]
