"""Options and their checks: one definition for the commands, the JSON configurations and Python."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bundle.domain import CT_WINDOW, MOVING, PERCENTILES
from bundle.errors import InputError
from bundle.option_values import (
    Checkpoint,
    ColorMap,
    Count,
    Device,
    Frame,
    Init,
    LabelsFile,
    MaskImage,
    Matrices,
    MaybeCount,
    MovingModality,
    Natural,
    NotNegative,
    Percentiles,
    Plane,
    Positive,
    Refine,
    Resolution,
    Share,
    Side,
    Spacing,
    TransformFile,
    Uids,
    Window,
)
from bundle.paths import MODEL


class Options(BaseModel):
    """How a pair is registered and fused; each field's description is the command's help."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: MovingModality = Field(
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
    epoch_pairs: MaybeCount = None
    slices_per_head: Count = 24
    blend_prob: Share = 0.0
    val_interval: Count = 5
    val_stride: Count = 1
    early_stopping: Count = 5
    panel_interval: Count = 5
    image_size: Side = 128
    num_workers: Natural = 1
    seed: Natural = 0
    learning_rate: Positive = 0.001
    gradient_clip: Positive = 10.0
    cache_rate: Share = 1.0
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
