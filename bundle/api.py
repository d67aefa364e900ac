"""Register and fuse from Python: the way of a pair, from two images to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, overload

import numpy as np
import SimpleITK as sitk
import torch

from bundle.errors import InputError, refuse_warnings
from bundle.fusion import FusedPair, FusedPictures, FusedVolumes, fuse
from bundle.images.pair import read_pair
from bundle.networks import load_network
from bundle.options import Options, options_of
from bundle.progress import SILENT, Progress, Step
from bundle.registration import register
from bundle.results import Report, parameters_of, write
from bundle.results.describe import describe
from bundle.results.folder import require_writable


@overload
def register_and_fuse(
    fixed: Any,
    moving: list[Any] | tuple[Any, ...],
    modality: Sequence[str] | None = None,
    progress: Callable[[Step], None] | None = None,
    **options: Any,
) -> list[Result]: ...


@overload
def register_and_fuse(
    fixed: Any,
    moving: Any,
    modality: str | None = None,
    progress: Callable[[Step], None] | None = None,
    **options: Any,
) -> Result: ...


def register_and_fuse(
    fixed: Any,
    moving: Any,
    modality: str | Sequence[str] | None = None,
    progress: Callable[[Step], None] | None = None,
    **options: Any,
) -> Result | list[Result]:
    """Register the moving image onto the fixed one and fuse the two.

    The weights are loaded once for all calls. Nothing is written.

    Args:
        fixed: the reference image, an MRI: a path, a ``SimpleITK.Image``, a nibabel image, a MONAI
            ``MetaTensor`` (1, X, Y, Z), or a picture as an array (H, W) or (H, W, 3).
        moving: the CT, PET or SPECT image, or another MRI, likewise; or a list of them, which are
            registered one after the other onto the fixed volume, read once.
        modality: of the moving image; by default what its DICOM header says, if it says it. Of a
            list of images a list as long.
        progress: takes the stages of each pair, each as it begins, also those of ``save``.
        **options: see :class:`bundle.options.Options`.

    Returns:
        the result; of a list of images the list of their results.

    Raises:
        InputError: an option or an image cannot be used; the message is one line.

    Example:
        >>> result = register_and_fuse("mri.nii.gz", "ct.nii.gz", modality="CT")  # doctest: +SKIP
        >>> result.save("out")  # doctest: +SKIP
    """
    if not isinstance(moving, (list, tuple)):
        settings = options_of(modality=modality, **options)
        return _fused(fixed, moving, settings, fixed, Progress(progress))
    return list(_each_fused(fixed, moving, modality, options, progress))


def _each_fused(
    fixed: Any,
    moving: Sequence[Any],
    modality: Any,
    options: dict[str, Any],
    progress: Callable[[Step], None] | None,
) -> Iterator[Result]:
    """The results of several moving images; what is wrong with an option is told before any."""
    modalities = [None] * len(moving) if modality is None else modality
    if isinstance(modalities, str) or len(modalities) != len(moving):
        raise InputError(f"modality: give a list of {len(moving)}, one for each moving image")
    settings = [options_of(modality=one, **options) for one in modalities]
    source = fixed
    for image, one in zip(moving, settings, strict=True):
        result = _fused(source, image, one, fixed, Progress(progress))
        if isinstance(result.pair, FusedVolumes) and not one.series:
            source = result.pair.registration.pair.fixed
        yield result


def _fused(fixed: Any, moving: Any, settings: Options, file: Any, progress: Progress) -> Result:
    """The result of one pair; ``file`` is where the fixed image, perhaps read before, is from."""
    pair = read_pair(fixed, moving, settings, progress)
    network = load_network(settings.checkpoint, settings.device)
    fused = fuse(register(pair, network, settings, progress), network, progress)
    files = (file, moving, settings.fixed_mask, settings.moving_mask)
    paths = tuple(Path(one) for one in files if isinstance(one, (str, PathLike)))
    result = Result(fused, settings, paths, progress)
    if settings.strict:
        refuse_warnings("result", result.report.warnings)
    return result


@dataclass(frozen=True, repr=False)
class Result:
    """A registered and fused pair.

    Attributes:
        pair: the fused pair with its registration.
        options: what it was made with.
        sources: files of the pair, which ``save`` never replaces.
        progress: is told the stages of ``save``.
    """

    pair: FusedPair
    options: Options
    sources: tuple[Path, ...] = ()
    progress: Progress = SILENT

    @property
    def fused(self) -> sitk.Image | np.ndarray:
        """The fusion on the fixed image's grid: float32 in [0, 1].

        Of pictures an array (H, W) or (H, W, 3), uint8.
        """
        if isinstance(self.pair, FusedVolumes):
            return self.pair.fused
        return _as_written(self.pair.fused)

    @property
    def warped(self) -> sitk.Image | np.ndarray:
        """The moving image on the fixed image's grid, in its own units; of pictures an array."""
        if isinstance(self.pair, FusedVolumes):
            return self.pair.registration.warped
        return _as_written(self.pair.registration.warped)

    @property
    def transform(self) -> sitk.Transform:
        """From points of the fixed image to points of the moving one.

        Millimetres, LPS; of pictures pixels, x = column, y = row.
        """
        return self.pair.registration.transform

    @property
    def uncertainty(self) -> sitk.Image | None:
        """Uncertainty of the displacement, mm, on the fixed grid; None of pictures."""
        if isinstance(self.pair, FusedPictures):
            return None
        return self.pair.registration.uncertainty

    @cached_property
    def report(self) -> Report:
        """Measures, notes and warnings."""
        return describe(self.pair, parameters_of(self.options))

    def __repr__(self) -> str:
        report, count = self.report, len(self.report.warnings)
        return (
            f"Result({report.modality or 'unknown modality'}, mean displacement "
            f"{report.displacement.mean:.1f} {report.unit}, {count} warning{'s' * (count != 1)})"
        )

    def save(self, folder: Path | str) -> Path:
        """Write what ``scripts.fuse`` writes.

        Args:
            folder: made if necessary; ``~`` is the home folder.

        Returns:
            the folder.

        Raises:
            InputError: it holds results already and the option ``overwrite`` is not set, or it
                cannot be written to.
        """
        if not str(folder):
            raise InputError("save: name a folder for the results")
        try:
            path = Path(folder).expanduser()
        except RuntimeError as error:
            raise InputError(f"{folder}: no such home folder; name another one") from error
        require_writable(path, self.options.overwrite, *self.sources)
        write(self.pair, path, self.options, self.progress)
        return path


def _as_written(picture: torch.Tensor) -> np.ndarray:
    """(C, H, W), 0 to 255, as the 8-bit picture that would be written: (H, W[, 3])."""
    pixels = picture.round().clamp(0, 255).to(torch.uint8).movedim(0, -1).numpy()
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels
