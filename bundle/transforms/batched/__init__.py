"""Random transforms of whole batches, on whatever device the batch lies.

Each is called with a batch and a generator of that device. A batch holds ``fixed`` (B, 1, H, W)
and ``moving`` (B, 4, H, W; Y, Cb, Cr, activity) in [0, 1], and ``kind`` (B,), the places of the
modalities in :data:`bundle.training.pairs.MODALITIES`.

None waits for the device and none copies from the CPU, so that all of them can be part of a CUDA
graph (:mod:`bundle.training.graphed`). :mod:`bundle.transforms.batched.single` makes transforms of
single items of them.
"""
