"""Check a folder of training data before anything works on it."""

from bundle.training.verify.findings import SPLITS, Finding
from bundle.training.verify.folder import require_usable, summary, verify_folder

__all__ = ["SPLITS", "Finding", "require_usable", "summary", "verify_folder"]
