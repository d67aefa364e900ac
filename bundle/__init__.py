"""BiMSRec: registration and fusion of multi-modal medical images as a MONAI bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bundle.errors import InputError, Remark

if TYPE_CHECKING:
    from bundle.api import Result, register_and_fuse

__version__ = "0.25.0"
__all__ = ["InputError", "Remark", "Result", "register_and_fuse"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first used, so that a wrong option is told at once."""
    if name in ("Result", "register_and_fuse"):
        from bundle import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
