"""A seeded 3D head phantom, its volumes in five contrasts, and 2D pairs cut from them.

The default data of training, demonstration and tests: no person's data, any amount of it, and
moving images that are aligned with the fixed ones by construction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from bundle.domain import MODALITIES
from bundle.phantom.canvas import Tissue
from bundle.phantom.contrast import MODALITIES as CONTRASTS
from bundle.phantom.display import Display
from bundle.phantom.head import Head, make_head

Pair = tuple[str, str, np.ndarray, np.ndarray]
Anatomy = tuple[np.ndarray, dict[str, tuple[float, float]]]

_FIXED = {"CT": "T2", "PET": "T1", "SPECT": "T2"}  # the MRI that AANLIB pairs each with
_SLICES_PER_CASE = 2  # per modality: many heads teach more than many slices of one
_SLICE_STEP = 5.0  # mm
_LOWEST, _HIGHEST = -45.0, 50.0  # mm, the axial slices of the pairs
_FIRST_CASE = {"train": 1, "val": 9001}  # no head is in both splits


def make_pairs(
    pairs_per_modality: int, seed: int = 0, size: int = 256, split: str = "train"
) -> Iterator[Pair]:
    """Make aligned axial 2D pairs.

    Each head gives two slices per modality, spread over the brain.

    Args:
        pairs_per_modality: how many for each of CT, PET and SPECT.
        seed: of the whole data set.
        size: height and width in pixels; the field of view stays 205 to 240 mm.
        split: "train" or "val"; they share no head.

    Yields:
        (modality, name, fixed, moving): fixed uint8 (H, W), moving uint8 (H, W) for CT and
        (H, W, 3) for PET and SPECT. ``name`` is the number case x 1000 + slice. Rows run from
        front to back, columns from the patient's right to the left.

    Raises:
        ValueError: no such split.
    """
    yield from (pair for pair, _ in _known_pairs(pairs_per_modality, seed, size, split))


def _known_pairs(
    pairs_per_modality: int, seed: int, size: int, split: str
) -> Iterator[tuple[Pair, Anatomy]]:
    """The pairs of :func:`make_pairs` with their labels (H, W) and landmarks (row, column)."""
    if split not in _FIRST_CASE:
        raise ValueError(f"no split {split!r}: choose one of {', '.join(_FIRST_CASE)}")
    cases = -(-pairs_per_modality // _SLICES_PER_CASE)
    for index in range(cases):
        case = _FIRST_CASE[split] + index
        count = min(_SLICES_PER_CASE, pairs_per_modality - index * _SLICES_PER_CASE)
        yield from _case_pairs(case, count, (seed, case), size)


def _case_pairs(
    case: int, count: int, seed: tuple[int, int], size: int
) -> Iterator[tuple[Pair, Anatomy]]:
    """Cut ``count`` slices per modality from one head, no slice twice."""
    rng = np.random.default_rng((*seed, 10))
    spacing = float(rng.uniform(205, 240)) / size
    number = round((_HIGHEST - _LOWEST) / _SLICE_STEP) + 1
    middle = (0.0, float(rng.uniform(-6, 3)), (_LOWEST + _HIGHEST) / 2)
    head = make_head(seed, (size, size, number), (spacing, spacing, _SLICE_STEP), middle)
    # one random slice from each of equal parts of the brain, the parts dealt to the modalities
    parts = np.array_split(np.arange(number), count * len(MODALITIES))
    chosen = np.array([rng.choice(part) for part in parts]).reshape(count, -1)
    dealt = rng.permuted(chosen, axis=1)
    volumes = {name: head.contrast(name) for name in CONTRASTS}
    for column, modality in enumerate(MODALITIES):
        show = Display(rng)
        for k in np.sort(dealt[:, column]):
            fixed = show.mri(volumes[_FIXED[modality]][..., k])
            moving = show.moving(volumes[modality][..., k], modality)
            yield (modality, str(case * 1000 + int(k)), fixed, moving), _anatomy(head, int(k))


def _anatomy(head: Head, k: int) -> Anatomy:
    """Labels of one slice as its pictures show it, and the landmarks at most a slice away."""
    rows, columns = head.labels.shape[1], head.labels.shape[0]
    landmarks = {
        name: (rows - 1 - mark.ijk[1], columns - 1 - mark.ijk[0])
        for name, mark in head.landmarks.items()
        if abs(mark.ijk[2] - k) <= 1
    }
    return head.labels[..., k].T[::-1, ::-1], landmarks


def write_pairs(
    root: str | Path,
    pairs_per_modality: int,
    seed: int = 0,
    size: int = 256,
    split: str = "train",
) -> int:
    """Write pairs of :func:`make_pairs` as ROOT/CT-MRI/train/MRI/NAME.png and so on.

    Beside ``MRI`` and ``CT`` the folder ``labels`` has NAME.png, the values of :class:`Tissue`,
    and NAME.json, the landmarks as name: [row, column].

    Args:
        root: folder; made if need be.
        pairs_per_modality: how many for each of CT, PET and SPECT.
        seed: of the whole data set.
        size: height and width in pixels.
        split: "train" or "val".

    Returns:
        the number of pairs written.
    """
    written = 0
    for pair, (labels, landmarks) in _known_pairs(pairs_per_modality, seed, size, split):
        modality, name, fixed, moving = pair
        for folder, picture in (("MRI", fixed), (modality, moving), ("labels", labels)):
            path = Path(root) / f"{modality}-MRI" / split / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(picture)).save(path)
        path.with_suffix(".json").write_text(json.dumps(landmarks) + "\n", encoding="utf-8")
        written += 1
    return written


def write_volumes(root: str | Path, seed: int | Sequence[int] = 0, **grid) -> Head:
    """Write one head as NIfTI volumes on one grid, with labels and landmarks.

    Writes mri_t1, mri_t2 (arbitrary units, 0 to about 1000), ct (HU), pet and spect (1000 =
    cortex), all int16, labels (uint8), each as ``.nii.gz``, and landmarks.json.

    Args:
        root: folder; made if need be.
        seed: see :func:`make_head`.
        **grid: shape, spacing and centre of :func:`make_head`.

    Returns:
        the head.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    head = make_head(seed, **grid)
    names = {"T1": "mri_t1", "T2": "mri_t2", "CT": "ct", "PET": "pet", "SPECT": "spect"}
    for modality, name in names.items():
        values = head.contrast(modality) * (1 if modality == "CT" else 1000)
        _save(root / f"{name}.nii.gz", np.round(values).astype(np.int16), head.affine)
    _save(root / "labels.nii.gz", head.labels, head.affine)
    document = {
        "seed": list(head.seed),
        "labels": {tissue.name.lower(): int(tissue) for tissue in Tissue},
        "landmarks": {
            name: {"label": mark.tissue, "ijk": mark.ijk, "mm_ras": mark.mm}
            for name, mark in head.landmarks.items()
        },
    }
    (root / "landmarks.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return head


def _save(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
