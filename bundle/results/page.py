"""One self-contained page of pictures and figures to judge results by eye."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

TEMPLATES = Path(__file__).parent / "templates"

_HEAT = ((0, 0, 0), (70, 15, 110), (190, 50, 85), (250, 140, 20), (255, 245, 160))


@dataclass(frozen=True)
class Panel:
    """A picture of the page.

    Attributes:
        caption: what it shows.
        picture: uint8, (H, W) grey or (H, W, 3) RGB.
    """

    caption: str
    picture: np.ndarray


@dataclass(frozen=True)
class Case:
    """A section of the page: one pair.

    Attributes:
        title: its heading.
        figures: name to value with its unit.
        panels: its pictures.
        compare: pictures to lay over each other; the first one below the others.
    """

    title: str
    figures: Mapping[str, str] = field(default_factory=dict)
    panels: Sequence[Panel] = ()
    compare: Sequence[Panel] = ()


def grey(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """Show values in grey.

    Args:
        values: (H, W).
        lowest: shown as black.
        highest: shown as white; above ``lowest``.

    Returns:
        uint8 (H, W).
    """
    share = (np.asarray(values, dtype=np.float64) - lowest) / (highest - lowest)
    return np.round(255 * share.clip(0, 1)).astype(np.uint8)


def heat(values: np.ndarray, highest: float) -> np.ndarray:
    """Show magnitudes in colours from black over red to yellow.

    Args:
        values: (H, W), 0 and more.
        highest: shown in the last colour; above 0.

    Returns:
        uint8 (H, W, 3).
    """
    position = np.asarray(values, dtype=np.float64) / highest * (len(_HEAT) - 1)
    channels = [np.interp(position, range(len(_HEAT)), stops) for stops in zip(*_HEAT, strict=True)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def short(value: float, digits: int = 3) -> str:
    """A number for people: whole from 100 on, so that no large one has an exponent.

    Args:
        value: the number.
        digits: of smaller ones.
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"


def write_report(path: Path, title: str, introduction: str, cases: Sequence[Case]) -> None:
    """Write the page: HTML with its pictures inside, which needs no other file.

    Args:
        path: the ``.html`` file.
        title: heading of the page.
        introduction: a paragraph of plain text.
        cases: the sections.
    """
    write_page(path, "page.html", title=title, introduction=introduction, cases=cases)


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page.

    Args:
        path: the ``.html`` file.
        template: name of a file of the folder ``templates``.
        **values: what it shows.
    """
    html = _templates().get_template(template).render(**values)
    path.write_text(html + "\n", encoding="utf-8")


@lru_cache(maxsize=1)
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
    )
    templates.filters["png"] = _png
    templates.filters["short"] = short
    return templates


def _png(picture: np.ndarray) -> str:
    """A picture as a PNG file in base64."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()
