"""Write a page of painted slices beside real ones, to judge by eye and by figures.

Run from the repository root::

    python -m scripts.data_page --heads HEADS --pairs AANLIB --output_dir out/data_page

Every section shows one modality in one plane: painted pairs, then real ones. Below each picture
stand ``edges``, the mean gradient at the strongest 5 % of the head's pixels as a share of the range
per pixel, and ``fine``, the share of its power above a quarter of a cycle per pixel. Painted
pictures must not be sharper than real ones. The page holds pictures of the data: do not share it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from bundle.domain import MODALITIES
from bundle.errors import InputError
from bundle.geometry.picture_head import head_mask
from bundle.images.color import luma
from bundle.images.pictures import read_picture
from bundle.results.page import Case, Panel, write_report
from bundle.training.heads.pairs import list_head_slices, load_head_slice
from bundle.training.heads.sharpness import Sharpness, sharpness
from bundle.training.pairs import list_pairs
from scripts.command import or_exit, program

_VIEWS = {"25": "coronal", "30": "sagittal"}
"""What stands for the case in the names of AANLIB's PET; all else is axial."""


@dataclass(frozen=True)
class Shown:
    """A pair of pictures on the page.

    Attributes:
        title: of which data.
        pictures: MRI and the other one, (H, W) on the scale 0 to 255.
        figures: of each.
    """

    title: str
    pictures: tuple[np.ndarray, np.ndarray]
    figures: tuple[Sharpness, Sharpness]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 if an option cannot be used.
    """
    options = _parser().parse_args(arguments)
    for line in or_exit(_write, options):
        print(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("data_page"))
    parser.description = "Show painted slices beside real ones."
    parser.add_argument("--heads", required=True, help="folder of the tissue maps")
    parser.add_argument("--pairs", required=True, help="real pairs in AANLIB's layout")
    parser.add_argument("--palettes", help="folder of palette_PET.csv and palette_SPECT.csv")
    parser.add_argument("--output_dir", default="out/data_page")
    parser.add_argument("--split", choices=["train", "val"], default="train")
    parser.add_argument("--count", type=int, default=6, help="pairs of either kind in a section")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _write(options: argparse.Namespace) -> list[str]:
    if options.count < 1:
        raise InputError(f"--count {options.count}: give 1 or more")
    cases, lines = [], []
    painted = list_head_slices(options.heads, options.split, per_head=18, seed=options.seed)
    for modality, plane, real in _groups(list_pairs(options.pairs, options.split), options):
        chosen = [r for r in painted if (r["modality"], r["plane"]) == (modality, plane)]
        chosen = [chosen[i] for i in _spread(len(chosen), options.count)]
        rows = {
            "painted": [_measured(r["name"], *load_head_slice(r)) for r in chosen],
            "real": [_read(pair, options.palettes) for pair in real],
        }
        means = {f"{kind} {name}": _mean(shown, k) for kind, shown in rows.items()
                 for k, name in enumerate(("MRI", modality))}  # fmt: skip
        cases.append(Case(f"{modality}, {plane}", means, list(_panels(rows, modality))))
        lines += [f"{modality} {plane}  {name}: {value}" for name, value in means.items()]
    folder = Path(options.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder / "index.html", "Painted and real slices", __doc__ or "", cases)
    return [*lines, f"{folder / 'index.html'}"]


def _groups(
    pairs: list[dict[str, str]], options: argparse.Namespace
) -> Iterator[tuple[str, str, list[dict[str, str]]]]:
    """Modality, plane and some of the real pairs of both."""
    for modality in MODALITIES:
        of_modality = [pair for pair in pairs if pair["modality"] == modality]
        planes = [
            _VIEWS.get(pair["case"], "axial") if modality == "PET" else "axial"
            for pair in of_modality
        ]
        for plane in sorted(set(planes)):
            real = [pair for pair, of in zip(of_modality, planes, strict=True) if of == plane]
            yield modality, plane, [real[i] for i in _spread(len(real), options.count)]


def _spread(number: int, count: int) -> list[int]:
    """Up to ``count`` places, evenly over ``number``."""
    return sorted({round((k + 0.5) * number / count - 0.5) for k in range(count)})


def _read(pair: dict[str, str], palettes: str | None) -> Shown:
    fixed, moving = luma(read_picture(pair["fixed"])), read_picture(pair["moving"])
    if palettes and len(moving) == 3:
        moving = _activity(moving, Path(palettes) / f"palette_{pair['modality']}.csv")
    return _measured(pair["name"], fixed, luma(moving))


def _activity(picture: torch.Tensor, file: Path) -> torch.Tensor:
    """The place of every colour of (3, H, W) in a palette: (1, H, W), 0 to 255."""
    table = np.loadtxt(file, delimiter=",", skiprows=1)
    _, rows = cKDTree(table[:, 1:4]).query(picture.movedim(0, -1).numpy())
    return 255 / float(table[:, 0].max()) * torch.from_numpy(table[rows, 0])[None].float()


def _measured(title: str, fixed: torch.Tensor, moving: torch.Tensor) -> Shown:
    head = head_mask(fixed[None])[0].numpy()
    if not head.any():
        head[:] = True
    first, second = fixed[0].numpy(), moving[0].numpy()
    figures = sharpness(first, head), sharpness(second, head)
    return Shown(title, (first, second), figures)


def _mean(shown: Sequence[Shown], k: int) -> str:
    edges, fine = (np.mean([getattr(s.figures[k], n) for s in shown]) for n in ("edges", "fine"))
    return f"edges {edges:.3f}, fine {fine:.2f} %"


def _panels(rows: dict[str, list[Shown]], modality: str) -> Iterator[Panel]:
    for kind, shown in rows.items():
        for k, name in enumerate(("MRI", modality)):
            for one in shown:
                text = f"{kind} {name}, {one.title}: {_mean([one], k)}"
                yield Panel(text, np.round(one.pictures[k]).clip(0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()
