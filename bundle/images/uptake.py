"""PET volumes in standardised uptake values, on request."""

from __future__ import annotations

from dataclasses import replace

from bundle.errors import InputError, Remark
from bundle.images.suv import NoSuv, as_suv, suv_of
from bundle.images.volume import Volume


def with_suv(volume: Volume, modality: str | None, wanted: bool) -> tuple[Volume, list[Remark]]:
    """Find out how a volume's values become SUVs, and make them such if that is wanted.

    Args:
        volume: the moving one.
        modality: of it.
        wanted: whether its values are to be SUVs.

    Returns:
        the volume, and a note where a PET series does not say what SUVs need.

    Raises:
        InputError: SUVs are wanted of what is no DICOM series of PET or does not say what they
            need.
    """
    if modality != "PET" or volume.header is None:
        if wanted:
            raise InputError(f"{volume.name}: is no DICOM series of PET; leave out --suv")
        return volume, []
    try:
        suv = suv_of(volume.header)
    except NoSuv as reason:
        if wanted:
            raise InputError(f"{volume.name}: has no SUV: {reason}; leave out --suv") from reason
        text = f"moving volume: no standardised uptake values: {reason}"
        return volume, [Remark("suv_unknown", text, warning=False)]
    if not wanted or suv.factor == 1:
        return replace(volume, suv=suv), []
    image, header = as_suv(volume.image, volume.header, suv)
    return replace(volume, image=image, header=header, suv=replace(suv, applied=True)), []
