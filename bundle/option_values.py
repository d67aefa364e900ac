"""What values options take: out of Python, JSON or the text of a command line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bundle.domain import Modality, Range

Init = Literal["rigid", "header", "center", "moments", "affine", "none"]
Plane = Literal["auto", "axial", "coronal", "sagittal"]
Refine = Literal["none", "bspline"]


def _two_numbers(value: Any) -> tuple[float, float]:
    """A pair of numbers, the lower one first, also out of ``[0.5, 99.5]`` as a text."""
    words = value.strip("[]() ").split(",") if isinstance(value, str) else value
    try:
        lower, upper = (float(word) for word in words)
    except TypeError as error:  # pydantic takes a ValueError alone for a wrong value
        raise ValueError("is no pair of numbers") from error
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise ValueError("give two numbers, the lower one first")
    return lower, upper


def _three_sizes(value: Any) -> tuple[float, ...] | None:
    """Three numbers above 0, also out of ``0.9, 0.9, 5`` as a text; an empty text is none."""
    if value in (None, ""):
        return None
    words = value.strip("[]() ").replace(",", " ").split() if isinstance(value, str) else value
    try:
        sizes = tuple(float(word) for word in words)
    except TypeError as error:
        raise ValueError("are no numbers") from error
    if len(sizes) != 3 or not all(math.isfinite(size) and size > 0 for size in sizes):
        raise ValueError("give three numbers above 0")
    return sizes


def _percentiles(value: Any) -> tuple[float, float]:
    lower, upper = _two_numbers(value)
    if lower < 0 or upper > 100:
        raise ValueError("outside 0 to 100")
    return lower, upper


def _upper(value: Any) -> Any:
    """Modalities are known in any case of letters; an empty text is none."""
    return (value.upper() or None) if isinstance(value, str) else value


def _blank(value: Any) -> Any:
    """An empty text is none."""
    return None if value == "" else value


def _listed(value: Any) -> Any:
    """UIDs, numbers or words as a list, or one text with commas between them."""
    if isinstance(value, (list, tuple)):
        return tuple(str(one) if type(one) is int else one for one in value)
    return tuple(word.strip() for word in str(value).split(",") if word.strip())


def _text(value: Any) -> Any:
    """A ``torch.device`` is known by its name."""
    return str(value) if type(value).__name__ == "device" else value


def _mask(value: Any) -> Any:
    """A path, or an image in memory; an empty text is none."""
    if isinstance(value, str):
        return Path(value) if value else None
    if isinstance(value, (bool, int, float, list, tuple, dict)):
        raise ValueError("is no image")
    return value


def _color_map(value: Any) -> Any:
    """The name of a colour map that matplotlib knows."""
    if value in (None, ""):
        return None
    import matplotlib  # slow to load, and only wanted here

    if not isinstance(value, str) or value not in matplotlib.colormaps:
        raise ValueError("is no colour map")
    return value


def _whole(value: Any) -> Any:
    """Numbers of frames and pairs are whole; a text of one will do."""
    if isinstance(value, bool) or (isinstance(value, str) and not value.strip("-").isdecimal()):
        raise ValueError("is no whole number")
    return value


def _remedied(remedy: str) -> Any:
    return Field(json_schema_extra={"remedy": remedy})


Window = Annotated[
    Range, BeforeValidator(_two_numbers), _remedied("give two numbers, the lower one first")
]
Percentiles = Annotated[
    Range,
    BeforeValidator(_percentiles),
    _remedied("give two numbers from 0 to 100, the lower one first"),
]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
Natural = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MaybeCount = Annotated[
    Count | None, BeforeValidator(_blank), _remedied("give a whole number, 1 or more")
]
Side = Annotated[int, BeforeValidator(_whole), Field(ge=32)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Frame = Annotated[
    Natural | Literal["mean"] | None,
    BeforeValidator(_blank),
    _remedied("give its number, from 0, or mean"),
]
Spacing = Annotated[
    tuple[float, float, float] | None,
    BeforeValidator(_three_sizes),
    _remedied("give three sizes in mm, such as 0.9 0.9 5"),
]
Uids = Annotated[tuple[str, ...], BeforeValidator(_listed), _remedied("give UIDs in quotes")]
TransformFile = Annotated[
    Path | None, BeforeValidator(_blank), _remedied("give the path of a file")
]
LabelsFile = Annotated[Path | None, BeforeValidator(_blank), _remedied("give the path of a file")]
MaskImage = Annotated[
    Any, BeforeValidator(_mask), _remedied("give the path of a file, or an image in memory")
]
Resolution = Annotated[
    Positive | None, BeforeValidator(_blank), _remedied("give the side of a voxel in mm, such as 1")
]
Matrices = Annotated[
    tuple[Literal["fsl", "lta"], ...],
    BeforeValidator(_listed),
    _remedied("give fsl, lta or both"),
]
Checkpoint = Annotated[Path, _remedied("give the path of a file")]
ColorMap = Annotated[
    str | None,
    BeforeValidator(_color_map),
    _remedied("give a colour map of matplotlib's, such as hot, inferno or viridis"),
]
Device = Annotated[str | None, BeforeValidator(_text), _remedied("give cpu or cuda:0")]
MovingModality = Annotated[Modality | None, BeforeValidator(_upper)]
