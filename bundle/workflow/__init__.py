"""The bundle's inference as MONAI runs it: records, transforms, evaluator."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "datalist": ("options_for", "pair_record", "read_datalist"),
    "evaluator": ("PairDataset", "PairEvaluator", "go_through", "pair_of", "run_pairs", "single"),
    "transforms": ("InitializePaird", "PairInferer", "ReadPaird", "RefuseExistingd", "SavePaird"),
}
__all__ = [name for names in _HOMES.values() for name in names]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first used, so that a wrong list is told at once."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"bundle.workflow.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
