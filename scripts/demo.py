"""Misalign the project's own head phantom by a known field, register it back and fuse.

Run from the repository root::

    python -m scripts.demo --output_dir out/demo

Works on an MRI, CT and PET volume of one head, and on a colour picture. Prints the mean error
of the displacement before and after, and writes all results and a page of pictures.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from PIL import Image

from bundle.domain import CT_WINDOW
from bundle.errors import InputError
from bundle.evaluation.demo_pairs import LARGEST_SEED, Pair, picture_pair, volume_pairs
from bundle.evaluation.tables.overview import draw_overview
from bundle.geometry.slices import to_slices
from bundle.geometry.transform import displacement_field
from bundle.images.kinds import visible
from bundle.images.volumes import read_volume
from bundle.networks.weights import REMEDY
from bundle.paths import MODEL
from bundle.results.page import Case, Panel, grey, heat, write_report
from scripts import fuse
from scripts.command import or_exit, program

INTRODUCTION = (
    "A synthetic head. The moving image was misaligned by a known smooth field; the displacement "
    "was found from the two images alone: by the network, in volumes after a rigid start, which "
    "is a large part of it. Volumes are shown by their middle slice. "
    "Research use only: not a medical device."
)

PHANTOM = "phantom"
"""The demo's folder of the head: where it is, the others of :data:`OWN` are a demo's, too."""

OWN = {PHANTOM, "ct", "pet", "pet_picture", "report.html", "overview.png"}
"""What a demo leaves."""


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.
        **overrides: values for other ids of ``configs/inference.json``.

    Raises:
        SystemExit: with status 1 and one line on stderr if the demo cannot be run.
    """
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message=".*native grid_sample")  # MONAI's note on speed
    or_exit(_run, options, {"checkpoint": str(options.checkpoint), **overrides})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("demo"))
    parser.description = "Register and fuse a phantom whose misalignment is known."
    parser.add_argument(
        "--output_dir", type=Path, default=Path("out/demo"),
        help="the demo's own folder: what an earlier demo left in it is replaced",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help=f"of the head, 0 to {LARGEST_SEED}")
    parser.add_argument("--checkpoint", type=Path, default=MODEL, help="trained weights")
    return parser


def _run(options: argparse.Namespace, overrides: dict[str, Any]) -> None:
    folder, seed = options.output_dir, options.seed
    if not Path(overrides["checkpoint"]).is_file():
        raise InputError(f"{overrides['checkpoint']}: no such file; {REMEDY}")
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"--seed {seed}: give a whole number from 0 to {LARGEST_SEED}")
    _require_own(folder)
    try:
        print(f"making the phantom (seed {seed}) in {folder}", flush=True)
        pairs = [*volume_pairs(folder / PHANTOM, seed), picture_pair(folder / PHANTOM, seed)]
        cases = [_register(pair, folder, overrides) for pair in pairs]
        write_report(folder / "report.html", "BiMSRec demo", INTRODUCTION, cases)
        draw_overview(folder, folder / "overview.png")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: cannot write here ({reason}); name another folder") from error
    print("mean displacement error in the head")
    for case in cases:
        print(f"  {case.title}: {case.figures['before']} before, {case.figures['after']} after")
    print(f"results: {folder}\npicture: {folder / 'overview.png'}")
    print(f"QC page: {folder / 'report.html'}")


def _require_own(folder: Path) -> None:
    """Refuse a folder with files that no demo has left there."""
    names = {path.name for path in visible(folder, "*")} if folder.is_dir() else set()
    if names and (PHANTOM not in names or not names <= OWN):
        raise InputError(f"{folder}: not empty, and no earlier demo; name a new or an empty folder")


def _register(pair: Pair, folder: Path, overrides: dict[str, Any]) -> Case:
    """Register and fuse a pair as ``scripts.fuse`` does; show and measure the results."""
    out = folder / pair.name
    files = ["--fixed", str(pair.fixed), "--moving", str(pair.moving), "--output_dir", str(out)]
    fuse.main([*files, "--modality", pair.modality, "--overwrite"], **overrides)
    field = sitk.ReadImage(str(out / "ddf.nii.gz"), sitk.sitkVectorFloat64)
    ddf = displacement_field(sitk.DisplacementFieldTransform(field), pair.true_ddf)
    true = sitk.GetArrayFromImage(pair.true_ddf)
    before = np.linalg.norm(true, axis=-1)
    after = np.linalg.norm(sitk.GetArrayFromImage(ddf) - true, axis=-1)
    figures = {
        "before": f"{before[pair.head].mean():.2f} {pair.unit}",
        "after": f"{after[pair.head].mean():.2f} {pair.unit}",
    }
    kind = "picture" if pair.head.ndim == 2 else "volume"
    return Case(f"{pair.modality} {kind}", figures, _panels(pair, out, before, after))


def _panels(pair: Pair, out: Path, before: np.ndarray, after: np.ndarray) -> list[Panel]:
    """Pictures of the inputs, the results and the errors, these on one scale."""
    suffix = ".png" if pair.head.ndim == 2 else ".nii.gz"
    window = CT_WINDOW if pair.modality == "CT" else None
    panels = [
        Panel("fixed", _view(pair.fixed)),
        Panel("moving", _view(pair.moving, window)),
        Panel("warped", _view(out / f"warped{suffix}", window)),
        Panel("aligned (the truth)", _view(pair.aligned, window)),
        Panel("fused", _view(out / f"fused{suffix}", (0.0, 1.0))),
    ]
    highest = float(before[pair.head].max())
    scale = f"{pair.unit}, black = 0, light = {highest:.1f} and more"
    for name, error in (("displacement", before), ("error that remains", after)):
        shown = np.where(pair.head, error, 0)
        if shown.ndim == 3:
            shown = _middle(_like(shown, pair.true_ddf))
        panels.append(Panel(f"{name} in the head ({scale})", heat(shown, highest)))
    return panels


def _like(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(grid)
    return image


def _middle(volume: sitk.Image) -> np.ndarray:
    slices = to_slices(volume)[0].numpy()
    return slices[..., slices.shape[-1] // 2]


def _view(path: Path, limits: tuple[float, float] | None = None) -> np.ndarray:
    """A picture as it is; a volume's middle slice within limits, by default its percentiles."""
    if path.suffix == ".png":
        return np.asarray(Image.open(path))
    values = _middle(read_volume(path).image)
    lowest, highest = limits or (float(values.min()), float(np.percentile(values, 99.5)))
    return grey(values, lowest, max(highest, lowest + 1e-6))


if __name__ == "__main__":
    main()
