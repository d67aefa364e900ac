"""How the network that combines two fields of a volume is trained: on heads with known fields."""

from bundle.training.combiner.load import LoadSample, RandSample, sample_records
from bundle.training.combiner.make import make_sample
from bundle.training.combiner.plan import Plan, heads_digest, plans
from bundle.training.combiner.prepare import prepare, read_prepared, write_arrays, write_prepared
from bundle.training.combiner.steps import validate_step

__all__ = [
    "LoadSample",
    "Plan",
    "RandSample",
    "heads_digest",
    "make_sample",
    "plans",
    "prepare",
    "read_prepared",
    "sample_records",
    "validate_step",
    "write_arrays",
    "write_prepared",
]
