"""The network of the paper, one part per file."""

from bundle.networks.bimsrec import BiMSRec, Match
from bundle.networks.device import device_of, usable_device
from bundle.networks.field_combiner import FieldCombiner
from bundle.networks.precision import autocast, fast_in_bfloat16
from bundle.networks.weights import load_combiner, load_network, load_weights, weights_sha256

__all__ = [
    "BiMSRec",
    "FieldCombiner",
    "Match",
    "autocast",
    "device_of",
    "fast_in_bfloat16",
    "load_combiner",
    "load_network",
    "load_weights",
    "usable_device",
    "weights_sha256",
]
