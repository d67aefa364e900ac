"""Volumes to write, and ways to read what was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.images.dicom import read_folder, volume_of
from bundle.images.volume import Volume
from tests.images.series import dicom_of

SHAPE = (36, 40, 5)
"""Columns, rows, slices."""

AFFINE = np.diag([-0.9, -1.2, 3.0, 1.0])
"""Of axial slices, RAS."""


def oblique(shape=(5, 40, 36), orientation="LPS"):
    values = np.random.default_rng(4).uniform(0, 1, shape)
    volume = sitk.GetImageFromArray(values)
    volume.SetDirection(sitk.VersorTransform((0.3, -0.5, 1.0), 0.3).GetMatrix())
    volume.SetSpacing((0.9, 1.2, 3.0))
    volume.SetOrigin((-20.0, 35.0, 7.5))
    return sitk.DICOMOrient(volume, orientation)


def still(volume, *shift):
    """Displacements, everywhere the same."""
    vectors = np.zeros((*reversed(volume.GetSize()), 3), np.float32)
    vectors[...] = shift or 0
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.CopyInformation(volume)
    return field


def scan(folder: Path, modality: str, **tags) -> Volume:
    """A small DICOM series of whole numbers, as the bundle reads it."""
    values = np.random.default_rng(7).integers(-1000, 2000, SHAPE, dtype=np.int16)
    return read(dicom_of(folder, values, AFFINE, modality, **tags))


def as_modality(volume: Volume, modality: str) -> Volume:
    """The same without a header."""
    return replace(volume, modality=modality, header=None, sources=())


def read(folder):
    (series,) = read_folder(folder).values()
    return volume_of(series)


def read_by_gdcm(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()
