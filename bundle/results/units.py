"""Units of the moving volume's values."""

from __future__ import annotations

from bundle.images.pair import VolumePair
from bundle.images.suv import UNIT

UNITS = {"GML": UNIT, "BQML": "Bq/ml", "CNTS": "counts", "CPS": "counts/s"}
"""Of a DICOM header's attribute Units."""

UNKNOWN_UNIT = "arbitrary units"


def unit_of(pair: VolumePair) -> str:
    """The unit of the moving volume's values, as far as its values or its header tell it."""
    if pair.hounsfield[1]:
        return "HU"
    header = pair.moving.header
    if header is None:
        return UNKNOWN_UNIT
    counts = "counts" if header.get("Modality") == "NM" else UNKNOWN_UNIT
    return UNITS.get(str(header.get("Units", "")), counts)


def shown_unit(pair: VolumePair) -> tuple[float, str]:
    """By what values are multiplied where they are shown, and the unit: SUV where it is known."""
    suv = pair.moving.suv
    if suv is None or suv.applied:
        return 1.0, unit_of(pair)
    return suv.factor, UNIT
