"""Apply a written transform to another volume: a label map, another contrast.

Run from the repository root::

    python -m scripts.apply --transform OUT/transform.h5 --moving LABELS.nii.gz \\
        --reference FIXED.nii.gz --interpolation nearest --output labels_on_fixed.nii.gz

With ``--inverse`` and the moving volume as ``--reference``, the fixed volume, or its labels, comes
into the moving volume's space.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import InputError, refuse_warnings
from bundle.images import kinds
from bundle.options import Options, options_of
from scripts.command import (
    add_debug,
    add_options,
    given_options,
    or_report,
    program,
    show_traces,
    tell,
)

if TYPE_CHECKING:
    import SimpleITK as sitk

INTERPOLATIONS = ("bspline", "linear", "nearest")

FORWARD, INVERSE = "transform.h5", "transform_inverse.h5"
"""Files of a result that belong together."""

WORST = 2.0
"""Mean error in mm of an inverse that is still applied."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: the command line, by default the process's own.

    Raises:
        SystemExit: with status 1 and one line on stderr if the volume cannot be made.
    """
    options = _parser().parse_args(arguments)
    show_traces(options.debug)
    or_report(_run, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program("apply"))
    parser.description = "Bring a volume onto another's grid by a transform of scripts.fuse."
    parser.add_argument("--transform", required=True, type=Path, help="transform.h5 or ddf.nii.gz")
    parser.add_argument("--moving", required=True, help="volume to resample")
    parser.add_argument("--reference", required=True, help="volume whose grid the result gets")
    parser.add_argument("--output", required=True, type=Path, help="file to write, .nii.gz")
    parser.add_argument("--interpolation", choices=INTERPOLATIONS, default="linear")
    add_options(parser, "frame", "fixed_frame", "series", "spacing", "strict")
    parser.add_argument(
        "--inverse", action="store_true", help="bring it from fixed to moving instead"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    add_debug(parser)
    return parser


def _run(options: argparse.Namespace) -> None:
    given = _checked(options)
    import SimpleITK as sitk

    from bundle.geometry.transform import resample
    from bundle.results.compressed import write_volume
    from bundle.results.whole_file import whole_file

    reference, moving = _read(options.reference, options.moving, given)
    transform = read_transform(options.transform)
    if options.inverse:
        transform = _inverse(transform, reference, options)
    modes = {
        "linear": sitk.sitkLinear,
        "nearest": sitk.sitkNearestNeighbor,
        "bspline": sitk.sitkBSpline,
    }
    result = resample(moving, reference, transform, modes[options.interpolation])
    result = sitk.Cast(result, _pixel_type(options))
    size = 8 * result.GetNumberOfPixels()
    try:
        with whole_file(options.output, size, options.overwrite) as path:
            if path.name.endswith(".nii.gz"):
                write_volume(result, path)
            else:
                sitk.WriteImage(result, str(path), useCompression=True)
    except (RuntimeError, OSError) as error:
        reason = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise InputError(
            f"{options.output}: cannot be written{reason}; choose another file"
        ) from error
    print(f"{options.output} written")


def _read(reference: str, moving: str, options: Options) -> list[sitk.Image]:
    """Two volumes, with the answers of ``scripts.fuse`` to what is odd about them."""
    from bundle.images.pair import read_volumes, two_persons

    volumes = read_volumes(reference, moving, options)
    names = [kinds.shown(path) for path in (reference, moving)]
    said = [(name, volume.remarks) for name, volume in zip(names, volumes, strict=True)]
    for name, remarks in (*said, (", ".join(names), tuple(two_persons(volumes)))):
        if options.strict:
            refuse_warnings(name, remarks)
        for remark in remarks:
            if remark.warning:
                tell(f"warning: {name}: {remark.text}")
    return [volume.image for volume in volumes]


def _checked(options: argparse.Namespace) -> Options:
    """Refuse what can be told before anything is read."""
    if not options.output.name.lower().endswith(kinds.WRITTEN):
        raise InputError(f"{options.output}: is written as a volume; name it .nii.gz")
    if (options.output.exists() and not options.overwrite) or options.output.is_dir():
        raise InputError(f"{options.output}: exists already; name another file or add --overwrite")
    if not options.output.absolute().parent.is_dir():
        raise InputError(f"{options.output}: its folder does not exist; make it first")
    for path in (options.moving, options.reference):
        kinds.require_file(path)
    for path in (options.moving, options.reference, options.transform, options.output):
        kinds.require_plain(path)
    if not options.transform.is_file():
        raise InputError(f"{options.transform}: no such file; name the transform.h5 of a result")
    for path in (options.moving, options.reference, options.transform):
        if options.output.resolve() == Path(path).resolve():
            raise InputError(f"{path}: the output would take its place; name another file")
    return options_of(**given_options(options))


def _inverse(
    transform: sitk.Transform, reference: sitk.Image, options: argparse.Namespace
) -> sitk.Transform:
    """From moving to fixed points: as it was written beside the transform, or computed."""
    from bundle.geometry.inverse import inverse_error, inverted

    written = options.transform.with_name(INVERSE)
    if options.transform.name == FORWARD and written.is_file():
        backward = read_transform(written)
        error = inverse_error(transform, backward, reference)
    else:
        backward, error = inverted(transform, reference)
    if not error <= WORST:
        raise InputError(
            f"{options.transform}: its inverse is {error:.1f} mm off on this reference; "
            "give the moving image as --reference, and the transform that belongs to it"
        )
    print(f"inverse: mean error {error:.3f} mm")
    return backward


def _pixel_type(options: argparse.Namespace) -> int:
    """Labels keep the type they are stored in, everything else becomes float32."""
    import SimpleITK as sitk

    path = Path(options.moving)
    if options.interpolation != "nearest" or not path.is_file():
        return sitk.sitkFloat32
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # a NIfTI-2 file, which ITK does not know
        return sitk.sitkFloat64
    return reader.GetPixelID()


def read_transform(path: Path) -> sitk.Transform:
    """Read ``transform.h5`` or a displacement field.

    Raises:
        InputError: the file is neither of the two, or that of a picture.
    """
    import SimpleITK as sitk

    from bundle.geometry.transform import is_whole

    if not is_whole(path):
        raise InputError(f"{path}: is damaged or cut short; save it anew")
    try:
        if path.name.endswith((".nii", ".nii.gz")):
            field = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
            transform: sitk.Transform = sitk.DisplacementFieldTransform(field)
        else:
            transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(f"{path}: no transform; name the transform.h5 of a result") from error
    if transform.GetDimension() != 3:
        raise InputError(f"{path}: is that of a picture; name the transform.h5 of a volume")
    return transform


if __name__ == "__main__":
    main()
