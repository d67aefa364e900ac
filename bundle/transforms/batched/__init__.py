"""Random transforms of whole batches, on whatever device the batch lies.

Each is called with a batch and a generator of that device. A batch holds ``fixed`` (B, 1, H, W)
and ``moving`` (B, 4, H, W; Y, Cb, Cr, activity) in [0, 1], and ``modality``, B names. They do what
the transforms of single items of the same name do; the random numbers differ.
"""
