"""Apply a written transform to another volume: a label map, another contrast.

Run from the repository root::

    python -m scripts.apply --transform OUT/transform.h5 --moving LABELS.nii.gz \\
        --reference FIXED.nii.gz --interpolation nearest --output labels_on_fixed.nii.gz

With ``--inverse`` and the moving volume as ``--reference``, the fixed volume, or its labels, comes
into the moving volume's space. Of pictures ``ddf.nii.gz`` is the transform, and the result a PNG.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import InputError, Remark, refuse_warnings
from bundle.images import kinds
from bundle.options import Options, options_of
from scripts.collector import collect_seldom
from scripts.command import (
    add_debug,
    add_options,
    given_options,
    or_report,
    program,
    show_traces,
)
from scripts.streams import say, tell

if TYPE_CHECKING:
    import SimpleITK as sitk

INTERPOLATIONS = ("bspline", "linear", "nearest")

FORWARD, INVERSE = "transform.h5", "transform_inverse.h5"
"""Files of a result that belong together."""

EXACT = 2**24
"""Whole numbers from which on single precision does not hold each."""

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
    parser.description = "Bring an image onto another's grid by a transform of scripts.fuse."
    parser.add_argument(
        "--transform",
        required=True,
        type=Path,
        help="transform.h5 or ddf.nii.gz; of pictures ddf.nii.gz",
    )
    parser.add_argument("--moving", required=True, help="volume or picture to resample")
    parser.add_argument("--reference", required=True, help="image whose grid the result gets")
    parser.add_argument(
        "--output", required=True, type=Path, help="file to write: .nii.gz, of pictures .png"
    )
    parser.add_argument(
        "--interpolation", choices=INTERPOLATIONS, help="linear by default; nearest for labels"
    )
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

    modes = {
        "linear": sitk.sitkLinear,
        "nearest": sitk.sitkNearestNeighbor,
        "bspline": sitk.sitkBSpline,
    }
    mode = modes[options.interpolation or "linear"]
    move = _volume if all(map(kinds.is_volume, (options.reference, options.moving))) else _picture
    result, labels = move(options, given, mode)
    _tell_of(
        kinds.shown(options.moving),
        _remarks(result, labels and not options.interpolation),
        options.strict,
    )
    _write(result, options)
    say(f"{options.output} written")


def _volume(options: argparse.Namespace, given: Options, mode: int) -> tuple[sitk.Image, bool]:
    """The moved volume, and whether it looks like labels."""
    import SimpleITK as sitk

    from bundle.geometry.transform import resample
    from bundle.geometry.transform_file import read_transform
    from bundle.images.labels import looks_like_labels

    reference, moving = _read(options.reference, options.moving, given)
    _require_exact(moving, options)
    transform = read_transform(options.transform, 3, _wanted(volumes=True))
    if options.inverse:
        transform = _inverse(transform, reference, options)
    result = sitk.Cast(resample(moving, reference, transform, mode), _pixel_type(options))
    return result, looks_like_labels(sitk.GetArrayViewFromImage(moving))


def _require_exact(moving: sitk.Image, options: argparse.Namespace) -> None:
    """Refuse numbers of labels, such as an atlas's, that single precision mixes up."""
    import SimpleITK as sitk

    rounded = _pixel_type(options) != sitk.sitkFloat32
    if rounded and abs(sitk.GetArrayViewFromImage(moving)).max() >= EXACT:
        raise InputError(
            f"{kinds.shown(options.moving)}: holds numbers of {EXACT} and more, which are not "
            "told apart; give the labels smaller numbers"
        )


def _picture(options: argparse.Namespace, given: Options, mode: int) -> tuple[sitk.Image, bool]:
    """The moved picture, and whether it looks like labels."""
    from bundle.geometry.transform_file import read_transform
    from bundle.images.labels import looks_like_labels
    from bundle.results.moved_picture import moved_picture

    transform = read_transform(options.transform, 2, _wanted(volumes=False))
    moved, pixels = moved_picture(Path(options.moving), Path(options.reference), transform, mode)
    return moved, looks_like_labels(pixels)


def _remarks(result: sitk.Image, mixed: bool) -> Iterator[Remark]:
    """What looks as if something else was meant."""
    import SimpleITK as sitk

    found = sitk.GetArrayViewFromImage(result)
    if found.min() == found.max():
        text = "the result is empty: does the reference belong to this transform?"
        yield Remark("result_empty", text)
    if mixed:
        text = "looks like a label map, and labels are mixed: add --interpolation nearest"
        yield Remark("labels_mixed", text)


def _write(result: sitk.Image, options: argparse.Namespace) -> None:
    """Write the file whole or not at all."""
    import SimpleITK as sitk

    from bundle.results.compressed import write_volume
    from bundle.results.whole_file import whole_file

    size = 8 * result.GetNumberOfPixels()
    try:
        with whole_file(options.output, size, options.overwrite) as path:
            if path.name.endswith((".nii.gz", ".nii")):
                write_volume(result, path)
            else:
                sitk.WriteImage(result, str(path), useCompression=True)
    except (RuntimeError, OSError) as error:
        reason = f" ({error.strerror})" if isinstance(error, OSError) else ""
        raise InputError(
            f"{options.output}: cannot be written{reason}; choose another file"
        ) from error


def _read(reference: str, moving: str, options: Options) -> list[sitk.Image]:
    """Two volumes, with the answers of ``scripts.fuse`` to what is odd about them."""
    from bundle.images.pair import read_volumes
    from bundle.images.pair_remarks import two_persons

    volumes = read_volumes(reference, moving, options)
    names = [kinds.shown(path) for path in (reference, moving)]
    said = [(name, volume.remarks) for name, volume in zip(names, volumes, strict=True)]
    for name, remarks in (*said, (", ".join(names), tuple(two_persons(volumes)))):
        _tell_of(name, remarks, options.strict)
    return [volume.image for volume in volumes]


def _tell_of(name: str, remarks: Iterable[Remark], strict: bool) -> None:
    """Print warnings, or refuse them."""
    remarks = tuple(remarks)
    if strict:
        refuse_warnings(name, remarks)
    for remark in remarks:
        if remark.warning:
            tell(f"warning: {name}: {remark.text}")


def _checked(options: argparse.Namespace) -> Options:
    """Refuse what can be told before anything is read."""
    volumes = _are_volumes(options)
    if volumes and not options.output.name.lower().endswith(kinds.WRITTEN):
        raise InputError(f"{options.output}: is written as a volume; name it .nii.gz")
    if not volumes and options.output.suffix.lower() != ".png":
        raise InputError(f"{options.output}: is written as a picture; name it .png")
    if options.inverse and not volumes:
        raise InputError(
            f"{options.transform}: of pictures there is no inverse; leave out --inverse, or "
            "register them the other way round"
        )
    if (options.output.exists() and not options.overwrite) or options.output.is_dir():
        raise InputError(f"{options.output}: exists already; name another file or add --overwrite")
    if not options.output.absolute().parent.is_dir():
        raise InputError(f"{options.output}: its folder does not exist; make it first")
    for path in (options.moving, options.reference):
        kinds.require_file(path)
    for path in (options.moving, options.reference, options.transform, options.output):
        kinds.require_plain(path)
    if not options.transform.is_file():
        raise InputError(f"{options.transform}: no such file; name the {_wanted(volumes)}")
    for path in (options.moving, options.reference, options.transform):
        if options.output.resolve() == Path(path).resolve():
            raise InputError(f"{path}: the output would take its place; name another file")
    return options_of(**given_options(options))


def _are_volumes(options: argparse.Namespace) -> bool:
    """Whether two volumes are given, and not two pictures, by their names."""
    paths = (options.reference, options.moving)
    one, other = (not path.lower().endswith(kinds.PICTURES) for path in paths)
    if one != other:
        raise InputError(f"{', '.join(paths)}: a picture and a volume; give two of one kind")
    return one


def _wanted(volumes: bool) -> str:
    """The file of a result that moves images of this kind."""
    return f"{FORWARD} of a result" if volumes else "ddf.nii.gz of a picture's result"


def _inverse(
    transform: sitk.Transform, reference: sitk.Image, options: argparse.Namespace
) -> sitk.Transform:
    """From moving to fixed points: as it was written beside the transform, or computed."""
    from bundle.geometry.foreign_inverse import inverse_error, inverted
    from bundle.geometry.transform_file import read_transform

    written = options.transform.with_name(INVERSE)
    if options.transform.name == FORWARD and written.is_file():
        backward = read_transform(written, 3, _wanted(volumes=True))
        error = inverse_error(transform, backward, reference)
    else:
        backward, error = inverted(transform, reference)
    if not error <= WORST:
        raise InputError(
            f"{options.transform}: its inverse is {error:.1f} mm off on this reference; "
            "give the moving image as --reference, and the transform that belongs to it"
        )
    say(f"inverse: mean error {error:.3f} mm")
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


if __name__ == "__main__":
    collect_seldom()
    main()
