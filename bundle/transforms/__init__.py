"""Transforms of the training data that MONAI does not have.

Those of items are dictionary transforms; ``Rand...d`` draw their random numbers as MONAI's do.

Those of whole batches (``Batch...``) work on whatever device the batch lies. Each is called with
a batch and a generator of that device. A batch holds ``fixed`` (B, 1, H, W) and ``moving``
(B, 4, H, W; Y, Cb, Cr, activity) in [0, 1], and ``modality_index`` (B,), the places of the
modalities in :data:`bundle.domain.MODALITIES`. None waits for the device and none copies from the
CPU, so that all of them can be part of a CUDA graph (:mod:`bundle.training.graphed`). Most
transforms of items are these for a batch of one (:mod:`bundle.transforms.one_by_one`).
"""
