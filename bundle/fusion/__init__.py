"""From a registered pair to the fused image."""

from bundle.fusion.fusion import FusedPair, FusedPictures, FusedVolumes, fuse
from bundle.fusion.recolor import recolor

__all__ = ["FusedPair", "FusedPictures", "FusedVolumes", "fuse", "recolor"]
