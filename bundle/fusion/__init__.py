"""From a registered pair to the fused image."""

from bundle.fusion.color import (
    color_slices,
    color_table,
    color_volume,
    colored_over,
    colormap_of,
)
from bundle.fusion.fusion import FusedPair, FusedPictures, FusedVolumes, fuse
from bundle.fusion.recolor import recolor

__all__ = [
    "FusedPair",
    "FusedPictures",
    "FusedVolumes",
    "color_slices",
    "color_table",
    "color_volume",
    "colored_over",
    "colormap_of",
    "fuse",
    "recolor",
]
