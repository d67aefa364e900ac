"""Inference: from a list of pairs to fused images, warped images and displacement fields."""

from bundle.errors import or_exit
from bundle.workflow.datalist import pair_record, read_datalist
from bundle.workflow.engine import PairDataset, PairEvaluator, go_through, prepare_pair, run_pairs
from bundle.workflow.loading import LoadPaird
from bundle.images.display import NormalizePaird
from bundle.workflow.refining import RefineFieldd
from bundle.registration.slicewise import ScaledInferer
from bundle.workflow.saving import ApplyFieldd, SavePaird
from bundle.results.folder import RefuseExistingd
from bundle.networks.weights import WeightsLoader, load_weights

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
