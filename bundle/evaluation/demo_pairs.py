"""Pairs of the phantom whose moving image is misaligned by a known field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from bundle.domain import LEVELS, REFERENCE_SIZE
from bundle.geometry.fields import picture_grid, to_itk, write_field
from bundle.geometry.inverse_map import invert
from bundle.geometry.picture_head import head_mask
from bundle.geometry.slices import field_from_slices, from_slices, to_slices
from bundle.geometry.warp import warp
from bundle.images.pictures import write_picture
from bundle.images.volumes import read_volume
from bundle.phantom.pairs import make_pairs, write_volumes
from bundle.transforms.draw_monai import affine_matrix, elastic_displacement
from bundle.transforms.maps import Maps

LEVEL = "medium"
LARGEST_SEED = 2**31 - 1
"""NumPy takes 32 bits, and every head needs two seeds."""

GRID: dict[str, Any] = {
    "shape": (160, 192, 40),
    "spacing": (1.2, 1.2, 3.5),
    "centre": (0.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Pair:
    """A pair whose misalignment is known.

    Attributes:
        name: of the folder of its results.
        modality: of the moving image.
        fixed: file of the reference image.
        moving: file of the misaligned image.
        aligned: file of the moving image as it was before.
        true_ddf: ITK displacement field, pull-back, mm (px for a picture), on the fixed grid.
        head: bool, the array of the fixed image: where errors count.
    """

    name: str
    modality: str
    fixed: Path
    moving: Path
    aligned: Path
    true_ddf: sitk.Image
    head: np.ndarray

    @property
    def unit(self) -> str:
        """Unit of the displacements."""
        return "mm" if self.head.ndim == 3 else "px"


def misalign(aligned: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Misalign a stack of slices in plane, smoothly from slice to slice.

    Each slice is distorted as training pairs are (:mod:`bundle.transforms.misalign`): one affine
    map for all, and an elastic field that turns from one random field into another's negative
    along the stack, which keeps its size.

    Args:
        aligned: (C, H, W, D).
        seed: of the fields.

    Returns:
        the misaligned stack (C, H, W, D), float64, and its true ddf (2, H, W, D), voxels, rows
        before columns, pull-back: ``aligned(x) = misaligned(x + ddf(x))``.
    """
    random, level, size = np.random.RandomState(seed), LEVELS[LEVEL], aligned.shape[1:3]
    ratio = max(size) / REFERENCE_SIZE
    fields = [
        elastic_displacement(size, level.sigma * ratio, level.std * ratio, random) for _ in "12"
    ]
    matrix = affine_matrix(size, level.rotation, level.scale, level.translation * ratio, random)
    outside = float(aligned.min())
    slices, ddfs = [], []
    for k, image in enumerate(aligned.unbind(dim=-1)):
        angle = math.pi * k / aligned.shape[-1]
        elastic = math.cos(angle) * fields[0] + math.sin(angle) * fields[1]
        maps = Maps(elastic[None], matrix[None])
        slices.append(warp(image[None], maps.sources()[1], outside)[0])
        ddfs.append(invert(maps.elastic, maps.matrix)[0])
    return torch.stack(slices, dim=-1), torch.stack(ddfs, dim=-1)


def volume_pairs(folder: Path, seed: int) -> list[Pair]:
    """Write one head's volumes, and its CT and PET misaligned.

    Args:
        folder: where to.
        seed: of head and misalignment.

    Returns:
        MRI and CT, MRI and PET.
    """
    write_volumes(folder, seed, **GRID)
    grid = read_volume(folder / "mri_t1.nii.gz").image
    head = sitk.GetArrayFromImage(read_volume(folder / "labels.nii.gz").image) > 0
    pairs = []
    for number, name in enumerate(("ct", "pet")):
        aligned, moving = folder / f"{name}.nii.gz", folder / f"{name}_misaligned.nii.gz"
        slices, ddf = misalign(to_slices(read_volume(aligned).image), 2 * seed + number)
        sitk.WriteImage(from_slices(slices, grid), str(moving), useCompression=True)
        true_ddf = field_from_slices(ddf, grid)
        write_field(true_ddf, folder / f"{name}_true_ddf.nii.gz")
        fixed = folder / "mri_t1.nii.gz"
        pairs.append(Pair(name, name.upper(), fixed, moving, aligned, true_ddf, head))
    return pairs


def picture_pair(folder: Path, seed: int) -> Pair:
    """Write a colour PET picture, misaligned, and its MRI.

    Args:
        folder: where to.
        seed: of head and misalignment.

    Returns:
        the pair.
    """
    names = {"fixed": "mri", "moving": "pet_misaligned", "aligned": "pet"}
    paths = {key: folder / f"picture_{name}.png" for key, name in names.items()}
    # of the two slices of a head the upper one stays
    pictures = {name: images for name, _, *images in make_pairs(2, seed, split="val")}
    fixed = torch.tensor(pictures["PET"][0].copy())[None].double()
    aligned = torch.tensor(pictures["PET"][1].copy()).movedim(-1, 0).double()
    moving, ddf = misalign(aligned[..., None], seed)
    write_picture(fixed, paths["fixed"])
    write_picture(moving[..., 0], paths["moving"])
    write_picture(aligned, paths["aligned"])
    true_ddf = to_itk(ddf[..., 0], picture_grid(*fixed.shape[1:]))
    head = head_mask(fixed[None])[0].numpy()
    return Pair("pet_picture", "PET", **paths, true_ddf=true_ddf, head=head)
