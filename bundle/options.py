"""Options and their checks: one definition for the commands, the JSON configurations and Python."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bundle.domain import CT_WINDOW, MOVING, PERCENTILES, Modality, Range
from bundle.errors import InputError
from bundle.paths import MODEL

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


class Options(BaseModel):
    """How a pair is registered and fused; each field's description is the command's help."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: Annotated[Modality | None, BeforeValidator(_upper)] = Field(
        None, description="modality of the moving image; by default what its DICOM header says"
    )
    frame: Frame = Field(
        None, description="number of the frame of a 4D file, from 0, or mean: that of all frames"
    )
    series: Uids = Field(
        (),
        description="UIDs or numbers (see --list_series), where paths hold several DICOM series; "
        "of one path the fixed one first",
    )
    fixed_frame: Frame = Field(
        None, description="frame of the fixed file, likewise, where both are 4D"
    )
    apply_to_all_frames: bool = Field(
        False,
        description="resample all frames of the moving 4D file by the registration of one, by "
        "default of their mean",
    )
    spacing: Spacing = Field(
        None, description="voxel size in mm along x, y, z of a volume whose header lacks it"
    )
    init: Init = Field(
        "rigid", description="linear start of volumes; header (or none) trusts the headers"
    )
    initial_transform: TransformFile = Field(
        None,
        description="linear transform instead of the headers: .tfm, .txt, .h5, .mat of ITK (from "
        "fixed to moving points, mm, LPS), .mat of FSL, .lta of FreeSurfer (from moving to fixed, "
        "as these write it); optimised unless with init header",
    )
    fixed_mask: MaskImage = Field(
        None,
        description="volume on the fixed image's grid; where it is not 0 (lesion, metal) nothing "
        "counts in the registration and its measures: other tools, as ANTs, mark what is used",
    )
    moving_mask: MaskImage = Field(None, description="the same for the moving image, on its grid")
    plane: Plane = Field(
        "auto", description="volumes: a field in 3D, or that of the slices of a plane"
    )
    rigid_only: bool = Field(False, description="stop after the start; pictures are not moved")
    through_plane: NotNegative = Field(
        4.5, description="width in mm of the smoothing of fields across slices, 0 = none"
    )
    guard: bool = Field(
        True,
        description="drop a volume's field, or regions of it, that bring the images no closer",
    )
    refine: Refine = Field("none", description="last step of volumes, in 3D")
    ct_window: Window = Field(CT_WINDOW, description="HU shown as black and white in CT volumes")
    percentiles: Percentiles = Field(
        PERCENTILES, description="of the head, shown as black and white in other volumes"
    )
    colormap: ColorMap = Field(
        None,
        description="colours of the fused volume, matplotlib's names; by default inferno of "
        "PET and SPECT, none of CT",
    )
    ddf_full: bool = Field(
        False, description="write the field of volumes on the fixed grid, not on about 2 mm"
    )
    resolution: Resolution = Field(
        None,
        description="side in mm of the voxels of all results of volumes; by default the fixed "
        "image's own grid",
    )
    matrices: Matrices = Field(
        (),
        description="write the linear part for other tools too: rigid.mat (fsl), rigid.lta (lta)",
    )
    dicom_output: bool = Field(
        False, description="write the results as DICOM series and registration objects too"
    )
    suv: bool = Field(
        False,
        description="values of PET as SUV by body weight, in warped and what else has its unit; "
        "by default those of the file",
    )
    labels: LabelsFile = Field(
        None,
        description="label map of the fixed image: means of the moving image in each label, before "
        "and after registration",
    )
    strict: bool = Field(False, description="refuse what would be warned of")
    quiet: bool = Field(False, description="show no progress")
    overwrite: bool = Field(False, description="replace existing results")
    checkpoint: Checkpoint = Field(MODEL, description="file of the weights")
    device: Device = Field(None, description="cpu or cuda:0; by default the GPU if any")


class TrainingOptions(BaseModel):
    """Options of training and evaluation that only take some values."""

    max_epochs: Count = 100
    batch_size: Count = 8
    epoch_pairs: Annotated[
        Count | None, BeforeValidator(_blank), _remedied("give a whole number, 1 or more")
    ] = None
    slices_per_head: Count = 24
    blend_prob: Annotated[float, Field(ge=0, le=1)] = 0.0
    val_interval: Count = 5
    val_stride: Count = 1
    early_stopping: Count = 5
    panel_interval: Count = 5
    image_size: Annotated[int, BeforeValidator(_whole), Field(ge=32)] = 128
    num_workers: Natural = 1
    seed: Natural = 0
    learning_rate: Positive = 0.001
    gradient_clip: Positive = 10.0
    cache_rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    stage: Literal["all", "registration", "fusion"] = "all"
    reduction: Literal["1", "2", "4"] = "2"
    resume: bool = False
    amp: bool = True
    save_fields: bool = False


def options_of(**values: Any) -> Options:
    """Check options.

    Args:
        **values: by name.

    Raises:
        InputError: an option is unknown (names the nearest one) or cannot have its value.
    """
    try:
        return Options(**values)
    except ValidationError as error:
        raise InputError(_sentence(error.errors()[0], values)) from error


def check_value(name: str, value: Any) -> None:
    """Look at the value of an option of a command.

    Args:
        name: of the option; those that neither model knows pass.
        value: its value; texts are read.

    Raises:
        InputError: it is none of those that the option takes.
    """
    for model in (Options, TrainingOptions):
        if name in model.model_fields:
            try:
                model.__pydantic_validator__.validate_assignment(
                    model.model_construct(), name, value
                )
            except ValidationError as error:
                raise InputError(_sentence(error.errors()[0], {name: value}, "--")) from error


def values_of(name: str) -> str:
    """What an option takes, in words."""
    return _remedy(name).removeprefix("give ")


def _sentence(problem: ErrorDetails, values: Mapping[str, Any], prefix: str = "") -> str:
    """What is wrong with an option, in one line."""
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Options.model_fields, n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"there are {', '.join(Options.model_fields)}"
        )
        return f"{prefix}{name}: unknown option; {hint}"
    return f"{prefix}{name} {_shown(values[name])}: {_remedy(name)}"


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _remedy(name: str) -> str:
    """What an option takes, in words."""
    model = Options if name in Options.model_fields else TrainingOptions
    field = model.model_fields[name]
    extra = field.json_schema_extra
    if isinstance(extra, dict):
        return str(extra["remedy"])
    if name == "modality":
        return f"give one of {', '.join(MOVING)}, or none"
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return f"give one of {', '.join(choices)}"
    if field.annotation is bool:
        return "give true or false"
    limits = {
        key: getattr(m, key)
        for m in field.metadata
        for key in ("ge", "gt", "le")
        if hasattr(m, key)
    }
    kind = "a number" if field.annotation is float else "a whole number"
    if "le" in limits:
        return f"give {kind} from {limits['ge']} to {limits['le']}"
    if "gt" in limits:
        return f"give {kind} above {limits['gt']}"
    if "ge" in limits:
        return f"give {kind}, {limits['ge']} or more"
    return "give another value"
