"""Find what is to be registered in a BIDS dataset."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from bundle.errors import InputError
from bundle.images import kinds
from bundle.images.frames import MEAN
from bundle.workflow.bids.names import SPACE, SUFFIXES, BidsImage, image_of, require_in_place
from bundle.workflow.bids.t1w import t1w_of
from bundle.workflow.datalist import pair_record

FOLDERS = {"ct": ("ct", "anat"), "pet": ("pet",), "spect": ("spect", "nm"), "nm": ("nm",)}
"""Folders that hold moving images, by the suffix of their names."""

WORK = ".work"
"""Folder among the derivatives for results that are not complete yet."""

COMPUTED = {"space", "desc", "label", "res"}
"""Entities of files that are no longer what the scanner gave."""

PARTS = ("phase", "real", "imag")
"""Of complex images those that are no magnitudes."""


def find_bids(
    bids_dir: Path | str,
    derivatives: Path | str,
    participants: Collection[str] = (),
    sessions: Collection[str] = (),
    t1w: Collection[str] = (),
) -> list[dict[str, str]]:
    """Pair each CT, PET and SPECT image with the T1w of its subject.

    Which one that is says :func:`bundle.workflow.bids.t1w.t1w_of`.
    CT and SPECT are looked for in ``ct/*_ct``, ``anat/*_ct``, ``spect/*_spect``, ``nm/*_spect``
    and ``nm/*_nm``.

    Args:
        bids_dir: the dataset.
        derivatives: folder for the results.
        participants: labels, with or without ``sub-``; all by default.
        sessions: labels, with or without ``ses-``; all by default.
        t1w: entities, such as ``acq-mprage``, in the name of the T1w where there are several; or
            ``plain``: the one with the fewest.

    Returns:
        records as of :func:`bundle.workflow.datalist.read_datalist`, sorted by id, with
        ``bids_dir``, ``derivatives`` and ``report_file`` (where the measures will be); or with
        ``error``, and with ``moving`` where it is clear which image's results there may be.

    Raises:
        InputError: there is no such folder, or nothing in it to register; a label is unknown; the
            results would lie among the images.
    """
    root, out = Path(bids_dir), Path(derivatives)
    _require_apart(root, out)
    subjects = _subjects(root, _labels("sub", participants))
    wanted = _labels("ses", sessions)
    images = [one for subject in subjects for one in _volumes(root, subject)]
    moving = [one for one in images if one.folder.name in FOLDERS.get(one.suffix, ())]
    moving = [one for one in moving if not wanted or f"ses-{one.session}" in wanted]
    missing = wanted - {f"ses-{one.session}" for one in moving}
    if missing:
        raise InputError(f"{root}: without {sorted(missing)[0]}; correct --session_label")
    if not moving:
        raise InputError(
            f"{root}: holds no image to register; name them pet/*_pet.nii.gz, ct/*_ct.nii.gz or "
            "spect/*_spect.nii.gz in the subjects' folders"
        )
    heads = [one for one in images if one.folder.name == "anat" and one.suffix == SPACE]
    times = Counter(one.name for one in moving)
    records = [_record(one, heads, root, out, t1w, times[one.name]) for one in moving]
    return sorted(records, key=lambda record: record["id"])


def require_dataset(root: Path) -> None:
    """Refuse a folder that does not say that it is a BIDS dataset.

    Raises:
        InputError: it is not there, or has no ``dataset_description.json`` with a name and a
            version.
    """
    _require_folder(root)
    path = root / "dataset_description.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        there = isinstance(found, dict) and {"Name", "BIDSVersion"} <= set(found)
    except (OSError, ValueError):
        there = False
    if not there:
        raise InputError(
            f"{path}: does not say Name and BIDSVersion; add it, or give --skip_bids_validation"
        )


def _require_folder(root: Path) -> None:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; check the path")


def _require_apart(root: Path, out: Path) -> None:
    _require_folder(root)
    inside = out.resolve().parts[len(root.resolve().parts) :]
    within = out.resolve().is_relative_to(root.resolve())
    if within and (not inside or inside[0].startswith("sub-")):
        raise InputError(f"{out}: holds the images themselves; choose a folder of its own")


def _labels(entity: str, given: Collection[str]) -> set[str]:
    return {f"{entity}-{label.removeprefix(f'{entity}-')}" for label in given}


def _subjects(root: Path, wanted: set[str]) -> list[Path]:
    found = sorted(path for path in kinds.visible(root, "sub-*") if path.is_dir())
    missing = wanted - {path.name for path in found}
    if missing:
        raise InputError(f"{root}: without {sorted(missing)[0]}; correct --participant_label")
    return [path for path in found if not wanted or path.name in wanted]


def _volumes(root: Path, subject: Path) -> Iterator[BidsImage]:
    """The volumes of a subject that came from a scanner, in the order of their names."""
    places = [*kinds.visible(subject, "*"), *kinds.visible(subject, "ses-*/*")]
    for folder in sorted(place for place in places if place.is_dir()):
        for path in sorted(kinds.visible(folder, "sub-*")):
            image = image_of(path, root)
            if image is not None and _is_measured(image):
                yield image


def _is_measured(image: BidsImage) -> bool:
    return not COMPUTED & set(image.entities) and image.entities.get("part") not in PARTS


def _record(
    image: BidsImage,
    heads: Sequence[BidsImage],
    root: Path,
    out: Path,
    t1w: Collection[str],
    times: int,
) -> dict[str, str]:
    own = {"bids_dir": str(root), "derivatives": str(out), "report_file": str(out / image.report)}
    try:
        if times > 1:
            raise InputError(f"{image.path}: is there {times} times; leave one file of this name")
        require_in_place(image)
        own["moving"] = str(image.path)  # its results may be there, whatever comes now
        fixed = t1w_of(image, heads, t1w)
        kinds.require_plain(image.path)
    except InputError as error:
        return {"id": kinds.shown(image.name), "error": str(error), **own}
    modality = SUFFIXES[image.suffix].value
    parts = {"apply_to_all_frames": True, "frame": MEAN} if _is_4d(image.path) else {}
    record = pair_record(fixed.path, image.path, out / WORK / image.name, modality, **parts)
    return {**record, **own}


def _is_4d(path: Path) -> bool:
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return False
    from bundle.images.nifti import frames_in  # nibabel takes a while to load

    return frames_in(path) > 1


def image_of_record(record: Mapping[str, str]) -> BidsImage:
    """The moving image of a record of :func:`find_bids`."""
    image = image_of(Path(record["moving"]), Path(record["bids_dir"]))
    assert image is not None, record
    return image


def is_finished(record: Mapping[str, str]) -> bool:
    """Whether all results of a record of :func:`find_bids` are there."""
    if "moving" not in record:
        return False
    return (Path(record["derivatives"]) / image_of_record(record).finished).is_file()
