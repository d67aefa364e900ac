"""Inference: from a list of pairs to fused images, warped images and displacement fields."""

from bundle.errors import or_exit
from bundle.inference.datalist import pair_record, read_datalist
from bundle.inference.engine import PairDataset, PairEvaluator, go_through, prepare_pair, run_pairs
from bundle.inference.loading import LoadPaird
from bundle.inference.normalization import NormalizePaird
from bundle.inference.refining import RefineFieldd
from bundle.inference.registrar import ScaledInferer
from bundle.inference.saving import ApplyFieldd, SavePaird
from bundle.inference.staging import RefuseExistingd
from bundle.inference.weights import WeightsLoader, load_weights

__all__ = [
    "ApplyFieldd",
    "LoadPaird",
    "NormalizePaird",
    "PairDataset",
    "PairEvaluator",
    "RefineFieldd",
    "RefuseExistingd",
    "SavePaird",
    "ScaledInferer",
    "WeightsLoader",
    "go_through",
    "load_weights",
    "or_exit",
    "pair_record",
    "prepare_pair",
    "read_datalist",
    "run_pairs",
]
