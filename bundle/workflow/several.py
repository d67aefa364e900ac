"""Several moving images of one fixed image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bundle.errors import InputError
from bundle.images import kinds
from bundle.workflow.datalist import pair_record


def records_of_several(
    fixed: Path | str,
    moving: Sequence[Path | str],
    modalities: Sequence[str],
    output_dir: Path | str,
    **parts: Any,
) -> list[dict[str, str]]:
    """A record for each moving image, with a folder of its own.

    The folder has the name of the modality where it is given and no other image has it, else that
    of the file.

    Args:
        fixed: file of the reference image.
        moving: files of the images to bring onto it.
        modalities: of each of them, or empty.
        output_dir: holds the folders.
        **parts: options of each pair, as a list has them.

    Returns:
        records as of :func:`bundle.workflow.datalist.read_datalist`.

    Raises:
        InputError: the numbers of images and modalities differ, or two images have one name.
    """
    if modalities and len(modalities) != len(moving):
        raise InputError(
            f"--modality: names {len(modalities)} for {len(moving)} moving images; name one for "
            "each, in their order"
        )
    stems = [kinds.stem(path).removesuffix(".nii") or Path(path).name for path in moving]
    times = Counter(modalities)
    names = [
        modality.lower() if times[modality] == 1 else stem
        for modality, stem in zip(modalities or [""] * len(moving), stems, strict=True)
    ]
    twice = [path for path, name in zip(moving, names, strict=True) if names.count(name) > 1]
    if twice:
        raise InputError(
            f"{', '.join(map(str, twice))}: would have one folder of results; name their "
            "modalities, or rename a file"
        )
    return [
        pair_record(fixed, path, Path(output_dir) / name, modality or None, **parts)
        for path, name, modality in zip(
            moving, names, modalities or [""] * len(moving), strict=True
        )
    ]
