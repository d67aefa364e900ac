"""Measure how well volumes are registered, on seeded misalignments of an aligned pair.

Run from the repository root, with volumes that are aligned::

    python -m scripts.volume_accuracy --fixed T1_DICOM --moving PET_DICOM --output_dir OUT

Each seed moves the moving volume by a rigid motion and a smooth elastic field. Prints the mean
error in the head in mm: of the headers, of the rigid start, with the network, and of SimpleITK's
B-spline registration from the same start; and the time of both.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from bundle.errors import InputError, or_exit
from bundle.inference.datalist import MODALITIES
from bundle.inference.volumes import on_one_grid, read_volume
from bundle.volumes.head import find_head, shrunk
from bundle.volumes.start import as_transform
from scripts import fuse

ROTATION = (3.0, 3.0, 8.0)
"""Largest rotation about x, y and z, degrees."""

TRANSLATION = (10.0, 10.0, 4.0)
"""Largest translation along x, y and z, mm."""

ELASTIC = (4.0, 4.0, 1.0)
"""Standard deviation of the elastic displacement along x, y and z, mm."""

SMOOTHNESS = 20.0
"""Sigma of the Gaussian that smooths it, mm."""

STEP = 4.0
"""Voxel size of the elastic field, mm: linear interpolation between them is part of the truth."""

ROOM = 40.0
"""Millimetres by which the elastic field goes on around the volume."""


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.
        **overrides: values for other ids of ``configs/inference.json``.

    Raises:
        SystemExit: with status 1 and one line on stderr if it cannot be done.
    """
    or_exit(_run, _parser().parse_args(arguments), overrides)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.volume_accuracy")
    parser.description = "Register seeded misalignments of an aligned pair; print the errors."
    parser.add_argument("--fixed", required=True, help="reference volume")
    parser.add_argument("--moving", required=True, help="volume aligned with it")
    parser.add_argument("--output_dir", type=Path, default=Path("out/volume_accuracy"))
    parser.add_argument("--modality", choices=MODALITIES, help="modality of the moving volume")
    parser.add_argument("--seeds", type=int, default=10, help="number of misalignments")
    parser.add_argument("--slices", type=int, help="resample both to this many slices first")
    parser.add_argument("--bspline", action="store_true", help="SimpleITK's B-spline as well")
    parser.add_argument("--checkpoint", type=Path, default=fuse.ROOT / "models" / "model.pt")
    return parser


def _run(options: argparse.Namespace, overrides: dict[str, Any]) -> None:
    fixed, aligned = read_volume(options.fixed), read_volume(options.moving)
    if not on_one_grid(fixed, aligned):
        raise InputError(f"{options.moving}: is on another grid than {options.fixed}")
    if options.slices:
        fixed, aligned = (with_slices(volume, options.slices) for volume in (fixed, aligned))
    folder = options.output_dir
    folder.mkdir(parents=True, exist_ok=True)
    _write(fixed, folder / "fixed.nii.gz")
    overrides = {"checkpoint": str(options.checkpoint), **overrides}
    rows = []
    for seed in range(options.seeds):
        truth, moving = misaligned(aligned, seed)
        rows.append({"seed": seed, **_measure(fixed, moving, truth, folder, options, overrides)})
        print("  ".join(f"{name} {value:.2f}" for name, value in rows[-1].items()), flush=True)
    with (folder / "accuracy.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    for name in list(rows[0])[1:]:
        values = [row[name] for row in rows]
        print(f"{name:<22} mean {np.mean(values):7.3f}  sd {np.std(values):6.3f}")


def misaligned(aligned: sitk.Image, seed: int) -> tuple[sitk.Transform, sitk.Image]:
    """Move a volume by a known transform.

    Args:
        aligned: the volume.
        seed: of the transform.

    Returns:
        the transform from fixed to moving points, mm, LPS (pull-back), exact; and the moved
        volume on the same grid: ``aligned(x) = moved(transform(x))`` up to interpolation.
    """
    random = np.random.default_rng(seed)
    field = elastic_field(aligned, random)
    inverse = sitk.InvertDisplacementField(
        field, maximumNumberOfIterations=50, meanErrorToleranceThreshold=1e-4
    )
    middle = aligned.TransformContinuousIndexToPhysicalPoint(
        [(n - 1) / 2 for n in aligned.GetSize()]
    )
    angles = np.radians(ROTATION) * random.uniform(-1, 1, 3)
    shift = np.array(TRANSLATION) * random.uniform(-1, 1, 3)
    rigid = sitk.Euler3DTransform(middle, *angles.tolist(), shift.tolist())
    forward = sitk.CompositeTransform([rigid, sitk.DisplacementFieldTransform(field)])
    backward = sitk.CompositeTransform(
        [sitk.DisplacementFieldTransform(sitk.Image(inverse)), rigid.GetInverse()]
    )
    lowest = float(sitk.GetArrayViewFromImage(aligned).min())
    return forward, sitk.Resample(aligned, aligned, backward, sitk.sitkLinear, lowest)


def elastic_field(volume: sitk.Image, random: np.random.Generator) -> sitk.Image:
    """A smooth random displacement field in and around a volume, mm."""
    extent = np.array(volume.GetSize()) * volume.GetSpacing() + 2 * ROOM
    size = np.ceil(extent / STEP).astype(int).tolist()
    direction = np.reshape(volume.GetDirection(), (3, 3))
    shape = size[::-1]
    parts = [gaussian_filter(random.standard_normal(shape), SMOOTHNESS / STEP) for _ in ELASTIC]
    vectors = np.stack([s * p / p.std() for s, p in zip(ELASTIC, parts, strict=True)], axis=-1)
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.SetSpacing([STEP] * 3)
    field.SetDirection(volume.GetDirection())
    field.SetOrigin(np.array(volume.GetOrigin()) - direction @ np.full(3, ROOM))
    return field


def with_slices(volume: sitk.Image, count: int) -> sitk.Image:
    """The same extent in another number of slices."""
    size, spacing = list(volume.GetSize()), list(volume.GetSpacing())
    spacing[2] *= (size[2] - 1) / (count - 1)
    size[2] = count
    grid = (size, sitk.Transform(), sitk.sitkLinear, volume.GetOrigin(), spacing)
    return sitk.Resample(volume, *grid, volume.GetDirection())


def mean_error(found: sitk.Transform, truth: sitk.Transform, head: sitk.Image) -> float:
    """Mean distance in mm of where two transforms bring the head's points."""
    inside = sitk.GetArrayViewFromImage(head) > 0
    grid = (head.GetSize(), head.GetOrigin(), head.GetSpacing(), head.GetDirection())
    fields = [
        sitk.GetArrayFromImage(
            sitk.TransformToDisplacementField(transform, sitk.sitkVectorFloat64, *grid)
        )
        for transform in (found, truth)
    ]
    return float(np.linalg.norm(fields[0] - fields[1], axis=-1)[inside].mean())


def _measure(
    fixed: sitk.Image,
    moving: sitk.Image,
    truth: sitk.Transform,
    folder: Path,
    options: argparse.Namespace,
    overrides: dict[str, Any],
) -> dict[str, float]:
    _write(moving, folder / "moving.nii.gz")
    files = ["--fixed", str(folder / "fixed.nii.gz"), "--moving", str(folder / "moving.nii.gz")]
    modality = ["--modality", options.modality] if options.modality else []
    began = time.perf_counter()
    out = folder / "result"
    fuse.main([*files, *modality, "--output_dir", str(out), "--overwrite"], **overrides)
    seconds = time.perf_counter() - began
    head = find_head(fixed)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    start = as_transform(np.array(report["start"]))
    network = sitk.ReadTransform(str(out / "transform.h5"))
    found = {
        "before": mean_error(sitk.Transform(3, sitk.sitkIdentity), truth, head),
        "start": mean_error(start, truth, head),
        "network": mean_error(network, truth, head),
        "field_kept": float(report["field_kept"]),
        "seconds": seconds,
    }
    if options.bspline:
        began = time.perf_counter()
        spline = bspline(fixed, moving, start)
        found["bspline_seconds"] = time.perf_counter() - began
        found["bspline"] = mean_error(spline, truth, head)
    return found


def bspline(fixed: sitk.Image, moving: sitk.Image, start: sitk.Transform) -> sitk.Transform:
    """SimpleITK's B-spline registration by Mattes mutual information, 30 mm mesh, from a start."""
    images = [sitk.Cast(shrunk(volume, 2.0), sitk.sitkFloat32) for volume in (fixed, moving)]
    extent = np.array(fixed.GetSize()) * fixed.GetSpacing()
    mesh = [max(1, round(side / 30)) for side in extent.tolist()]
    spline = sitk.BSplineTransformInitializer(images[0], mesh)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMovingInitialTransform(start)
    method.SetInitialTransform(spline, inPlace=True)
    method.SetOptimizerAsLBFGSB(numberOfIterations=50)
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([2, 0])
    method.Execute(*images)
    return sitk.CompositeTransform([start, spline])


def _write(volume: sitk.Image, path: Path) -> None:
    sitk.WriteImage(sitk.Cast(volume, sitk.sitkFloat32), str(path), useCompression=False)


if __name__ == "__main__":
    main()
