"""Modalities, levels of misalignment and planes of slices, with what belongs to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

Range = tuple[float, float]

CT_WINDOW: Range = (-20.0, 150.0)
"""Hounsfield units shown as 0 and 1."""

PERCENTILES: Range = (0.5, 99.5)
"""Of the values in the head, shown as 0 and 1 in every volume that is no CT in Hounsfield units."""


class Modality(str, Enum):
    """What the moving image shows.

    Attributes:
        dicom: the value of DICOM's attribute Modality.
        bids: the ending of a BIDS file name; '' where a name does not make an image a moving one.
        activity: whether it shows a tracer, which is told by colours.
        colormap: matplotlib's name of the colours in which it is laid over the MRI.
    """

    dicom: str
    bids: str
    activity: bool
    colormap: str

    def __new__(cls, name: str, dicom: str, bids: str, activity: bool, colormap: str) -> Modality:
        """Make a member, a string of its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.dicom, member.bids, member.activity = dicom, bids, activity
        member.colormap = colormap
        return member

    # inferno begins in black: where there is no tracer, the MRI stays grey
    CT = "CT", "CT", "_ct", False, "copper"
    PET = "PET", "PT", "_pet", True, "inferno"
    SPECT = "SPECT", "NM", "_spect", True, "inferno"
    MR = "MR", "MR", "", False, "copper"

    def __str__(self) -> str:
        return self.value

    __format__ = str.__format__  # type: ignore[assignment]


MOVING: tuple[str, ...] = tuple(one.value for one in Modality)
"""Names of what is registered onto an MRI; another MRI (T2, FLAIR) is too, as it comes."""

MODALITIES: tuple[str, ...] = tuple(name for name in MOVING if name != Modality.MR.value)
"""Those that there are pairs to train on of, in the order that arrays of modalities count by."""

DEFAULT_COLORMAP = "copper"
"""Of a moving volume whose modality is not known."""

DICOM_MODALITIES = {one.dicom: one.value for one in Modality}
"""DICOM's Modality to ours."""


@dataclass(frozen=True)
class Level:
    """A level of misalignment, in pixels of a 256 x 256 picture.

    Attributes:
        rotation: half range of the rotation in degrees.
        scale: half range of the scaling.
        translation: half range of the translation in px.
        sigma: width of the Gaussian that the elastic part looks smoothed by, in px.
        std: standard deviation of each component of the elastic displacement, in px.
    """

    rotation: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    sigma: float = 16.0
    std: float = 0.0


LEVELS = {
    "aligned": Level(),
    "small": Level(translation=2.5, sigma=16.0, std=2.6),
    "medium": Level(rotation=5.0, scale=0.05, translation=8.0, sigma=20.0, std=4.0),
    "large": Level(rotation=10.0, scale=0.10, translation=16.0, sigma=24.0, std=6.0),
}

REFERENCE_SIZE = 256.0
"""Pixels per side of the pictures that levels are given for."""


def known_levels(names: Sequence[str]) -> list[str]:
    """The names as a list; raises KeyError if one is not in :data:`LEVELS`."""
    unknown = set(names) - set(LEVELS)
    if unknown:
        raise KeyError(f"unknown level {sorted(unknown)}; there are {list(LEVELS)}")
    return list(names)


PLANES = {"axial": "LPS", "coronal": "LIP", "sagittal": "PIR"}
"""ITK orientation of columns, rows and slices: heads upright, as in a radiological picture."""

SHORTEST, LONGEST = 32, 2048
"""Pixels per side that are taken: the network needs the one, the memory forbids more (26 GB)."""
