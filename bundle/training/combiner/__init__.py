"""How the network that combines two fields of a volume is trained: on heads with known fields."""

from bundle.training.combiner.load import LoadSample, RandSample, sample_records
from bundle.training.combiner.make import make_sample, write_sample
from bundle.training.combiner.plan import Plan, plans
from bundle.training.combiner.steps import validate_step

__all__ = [
    "LoadSample",
    "Plan",
    "RandSample",
    "make_sample",
    "plans",
    "sample_records",
    "validate_step",
    "write_sample",
]
