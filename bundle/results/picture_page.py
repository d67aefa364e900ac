"""The page ``report.html`` of a registered pair of pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from bundle.fusion import FusedPictures
from bundle.images.color import luma
from bundle.results.page import Case, Panel, write_page
from bundle.results.report import Report, facts, rounded

LINES = 16.0
"""Pixels of the page between the lines of a deformation grid."""

LARGEST = 512
"""Pixels per side of the page's pictures: eight, which nothing may compress, are 8 MB."""


def write_picture_page(path: Path, report: Report, fused: FusedPictures) -> None:
    """Write the page: the pictures over each other by slider, and the field as a grid.

    Args:
        path: the ``.html`` file.
        report: the measures.
        fused: the pair.
    """
    registration = fused.registration
    pair = registration.pair
    shown = {
        "fixed": pair.fixed,
        "warped": registration.warped,
        "fused": fused.fused,
        "moving, before": pair.moving,
    }
    pictures = [Panel(name, _pixels(picture)) for name, picture in shown.items()]
    share = max(1.0, max(pair.fixed.shape[1:]) / LARGEST)
    caption = f"deformation grid ({round(LINES * share)} px)"
    grid = Panel(caption, _pixels(_grid(registration.ddf, pair.fixed, share)))
    case = Case("Pictures", _text(report), [*pictures[:3], grid], pictures)
    write_page(
        path,
        "pictures.html",
        title="Registration report",
        introduction="Research use only: not a medical device.",
        facts=facts(report, pair.began),
        report=report,
        cases=[case],
    )


def _grid(ddf: torch.Tensor, fixed: torch.Tensor, share: float) -> torch.Tensor:
    """Where lines of the moving picture are found, over the fixed one.

    A line is as wide as ``share``, the pixels that one of the page stands for: thinner lines would
    be lost when the picture is made smaller.
    """
    rows, columns = torch.meshgrid(*map(torch.arange, ddf.shape[1:]), indexing="ij")
    lines = (torch.stack([rows, columns]) + ddf) % (LINES * share) < share
    return torch.where(lines.any(dim=0, keepdim=True), 255.0, 0.5 * luma(fixed))


def _pixels(picture: torch.Tensor) -> np.ndarray:
    """(C, H, W), 0 to 255, as uint8 (H, W) or (H, W, 3), ``LARGEST`` pixels per side at most."""
    pixels = picture.round().clamp(0, 255).to(torch.uint8).movedim(0, -1).numpy()
    height, width = pixels.shape[:2]
    share = LARGEST / max(height, width)
    if share < 1:
        size = max(1, round(share * width)), max(1, round(share * height))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _text(report: Report) -> dict[str, str]:
    """The figures in words."""
    information, jacobian = report.mutual_information, report.jacobian
    return {
        "mutual information in the head": f"{rounded(information.start, 3)} before, "
        f"{rounded(information.after, 3)} after",
        "displacement": f"mean {report.displacement.mean:.1f} px, "
        f"largest {report.displacement.max:.1f} px",
        "change of area": f"factor {jacobian.min:.2f} to {jacobian.max:.2f}, "
        f"{100 * jacobian.folding:.2f} % folded",
        "time": f"{report.seconds} s",
    }
