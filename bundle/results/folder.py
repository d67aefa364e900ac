"""The folder of a result: filled whole or not at all; other names stay."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bundle.errors import InputError
from bundle.images.kinds import require_plain, visible
from bundle.results.held import held
from bundle.results.recognised import is_ours, refuse_others

try:
    import fcntl
except ImportError:  # Windows: what a killed run left stays
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".result-"
MOVING = ".moving"
SERIES = ("dicom", "dicom_color", "dicom_registered")
FUSED = ("fused.nii.gz", "fused.png")
"""Written last: where one of them is, so is a whole result."""
RESULTS = (
    *FUSED,
    "warped.nii.gz",
    "warped.png",
    "warped_4d.nii.gz",
    "uncertainty.nii.gz",
    "fused_color.nii.gz",
    *SERIES,
    "moving_used.nii.gz",
    "fixed_used.nii.gz",
    "ddf.nii.gz",
    "transform.h5",
    "transform_inverse.h5",
    "rigid.tfm",
    "rigid.mat",
    "rigid.lta",
    "spatial_registration.dcm",
    "deformable_registration.dcm",
    "labels.csv",
    "report.json",
    "report.html",
    "overlay.png",
)
PICTURES = ("fused.png", "warped.png", "ddf.nii.gz", "report.html")
"""Those of a pair of pictures; volumes have all but the first two of them."""


def has_results(folder: Path) -> bool:
    """Whether a pair's results are there."""
    return any((folder / name).exists() for name in FUSED)


def require_no_results(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds a pair's results, unless they are to be replaced.

    Raises:
        InputError: it does.
    """
    if has_results(folder) and not overwrite:
        raise InputError(
            f"{folder}: holds results already; choose another output_dir or add --overwrite"
        )


def require_writable(folder: Path, overwrite: bool = False, *sources: Path | str) -> None:
    """Stop before any work if the results of a pair are there already or cannot be written.

    Only the fused image counts, which is written last: other files in the folder are no
    results. The pair's own files are never replaced.

    Args:
        folder: for the results.
        overwrite: replace existing results instead of stopping.
        *sources: the pair's own files.

    Raises:
        InputError: results would be replaced, or a source, or nothing can be written there.
    """
    for path in (folder, *sources):
        require_plain(path)
    require_no_results(folder, overwrite)
    names = RESULTS if has_results(folder) else [n for n in RESULTS if n not in SERIES]
    replaced = {(folder / name).resolve() for name in names}
    for source in sources:
        if Path(source).resolve() in replaced:
            raise InputError(f"{source}: a result would take its place; choose another output_dir")
    refuse_others(*(path for name in _of_result(folder) for path in _others(folder / name)))
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        raise InputError(f"{folder}: cannot be written to; choose another output_dir")


@contextmanager
def staged(folder: Path, overwrite: bool = True) -> Iterator[Path]:
    """Fill a folder with results all at once.

    They are first written to a hidden folder within it and move only when all are complete; the
    fused image moves last. An older result goes, and so does what a run that was killed has left;
    other files stay. After a failure a folder that was not there before is not there either.

    Args:
        folder: where the results belong; made if necessary.
        overwrite: replace results, also those that another run has left there meanwhile.

    Yields:
        the hidden folder to write to.

    Raises:
        InputError: the folder cannot be written to, holds results or a file of the same name, or
            another run is at work there.
    """
    try:
        with held(folder):
            require_no_results(folder, overwrite)
            killed = _killed(folder)
            stage = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder))
            try:
                with _held(stage):
                    yield stage
                    results = sorted(stage.iterdir(), key=lambda path: path.name in FUSED)
                    _make_room(folder, results, killed)
                    for result in results:
                        result.replace(folder / result.name)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to ({error.strerror or error}); choose another output_dir"
        ) from error


@contextmanager
def _held(stage: Path) -> Iterator[None]:
    """Hold a hidden folder locked, as long as its process lives; where there are no locks, not."""
    place = os.open(stage, os.O_RDONLY) if fcntl else None
    try:
        if place is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        if place is not None:
            os.close(place)


def _killed(folder: Path) -> list[Path]:
    """Hidden folders of runs that no longer live."""
    found = []
    for stage in folder.glob(f"{PARTIAL}*") if fcntl else ():
        place = os.open(stage, os.O_RDONLY)
        with suppress(OSError):  # somebody's, or a file system without locks
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.append(stage)
        os.close(place)
    return found


def _make_room(folder: Path, results: Sequence[Path], killed: Sequence[Path]) -> None:
    """Remove an older result, whole or as a killed run left it while it moved its own.

    Files of the same names that are no part of it are somebody else's, and nothing is removed.
    """
    markers = [stage / MOVING for stage in killed if (stage / MOVING).exists()]
    names = _of_result(folder).union(*(one.read_text("utf-8").split() for one in markers))
    older = [folder / name for name in sorted(names)]
    taken = [folder / result.name for result in results if result.name not in names]
    refuse_others(*taken, *(path for one in older for path in _others(one)))
    if results:  # from here on all files of these names are ours
        ours = sorted({*names, *(result.name for result in results)})
        (results[0].parent / MOVING).write_text("\n".join(ours), encoding="utf-8")
    for path in older:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for stage in killed:
        shutil.rmtree(stage, ignore_errors=True)


def _of_result(folder: Path) -> set[str]:
    """Names of the results in a folder: those that their report lists, else all they may have."""
    names: set[str] = set()
    if (folder / "fused.png").exists():
        names |= set(PICTURES)
    if (folder / "fused.nii.gz").exists():
        of_volumes = set(RESULTS) - {"fused.png", "warped.png"}
        names |= of_volumes & (_listed(folder / "report.json") or of_volumes)
    return names


def _listed(report: Path) -> set[str]:
    """The files that a report lists; none of one before version 0.25, or of none that is ours."""
    try:
        files = json.loads(report.read_text(encoding="utf-8")).get("files", [])
        return {str(name) for name in files}
    except (OSError, ValueError, AttributeError, TypeError):
        return set()


def _others(path: Path) -> list[Path]:
    """What is somebody else's: a file of a result's name, or what lies in the folder of a series.

    Args:
        path: of a result, which need not be there.
    """
    if path.is_dir():
        return [one for one in visible(path, "**/*") if one.suffix != ".dcm" or not is_ours(one)]
    return [path] if path.exists() and not is_ours(path) else []
