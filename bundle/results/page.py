"""One self-contained page of pictures and figures to judge results by eye."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

_HEAT = ((0, 0, 0), (70, 15, 110), (190, 50, 85), (250, 140, 20), (255, 245, 160))

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75em; margin: auto; padding: 1em; }
section { border-top: 1px solid #aaa; margin-top: 2em; }
.panels { display: grid; gap: 1em; grid-template-columns: repeat(auto-fill, minmax(13em, 1fr)); }
figure { margin: 0; }
img { width: 100%; background: black; }
td, th { padding: 0 1.5em 0 0; text-align: left; font-weight: normal; }
.compare { max-width: 30em; margin-bottom: 1em; }
.stack { position: relative; }
.stack img { display: block; }
.stack img + img { position: absolute; top: 0; left: 0; }
.compare input { width: 100%; }
td { font-variant-numeric: tabular-nums; }
"""

_SCRIPT = """
for (const box of document.querySelectorAll(".compare")) {
  const over = [...box.querySelectorAll("img")].slice(1);
  const slider = box.querySelector("input"), choice = box.querySelector("select");
  const button = box.querySelector("button");
  let timer = 0;
  const show = () => over.forEach((picture, k) => {
    picture.style.opacity = k === choice.selectedIndex ? slider.value / 100 : 0;
  });
  const flick = () => { slider.value = slider.value < 50 ? 100 : 0; show(); };
  slider.oninput = choice.onchange = show;
  button.onclick = () => {
    if (timer) { clearInterval(timer); timer = 0; } else { timer = setInterval(flick, 500); }
    button.textContent = timer ? "stop" : "blink";
  };
  show();
}
"""


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


def write_report(path: Path, title: str, introduction: str, cases: Sequence[Case]) -> None:
    """Write the page: HTML with its pictures inside, which needs no other file.

    Args:
        path: the ``.html`` file.
        title: heading of the page.
        introduction: a paragraph of plain text.
        cases: the sections.
    """
    sections = "\n".join(_section(case) for case in cases)
    script = f"<script>{_SCRIPT}</script>\n" if any(case.compare for case in cases) else ""
    path.write_text(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(introduction)}</p>\n{sections}\n{script}</body></html>\n",
        encoding="utf-8",
    )


def _section(case: Case) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in case.figures.items()
    )
    panels = "\n".join(_figure(panel) for panel in case.panels)
    return (
        f"<section><h2>{escape(case.title)}</h2>\n<table>{rows}</table>\n{_compare(case)}"
        f'<div class="panels">{panels}</div></section>'
    )


def _compare(case: Case) -> str:
    """Pictures on top of each other, with a slider between the lowest and a chosen one."""
    if not case.compare:
        return ""
    base, *others = (escape(panel.caption) for panel in case.compare)
    stack = "".join(_image(panel) for panel in case.compare)
    options = "".join(f"<option>{name}</option>" for name in others)
    return (
        f'<div class="compare"><div class="stack">{stack}</div>\n'
        f'<input type="range" min="0" max="100" value="50" aria-label="opacity over {base}">\n'
        f"<label>{base} against <select>{options}</select></label> "
        '<button type="button">blink</button></div>\n'
    )


def _image(panel: Panel) -> str:
    png = io.BytesIO()
    Image.fromarray(panel.picture).save(png, format="PNG")
    source = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
    return f'<img src="{source}" alt="{escape(panel.caption)}">'


def _figure(panel: Panel) -> str:
    caption = escape(panel.caption)
    return f"<figure>{_image(panel)}<figcaption>{caption}</figcaption></figure>"
