"""Write what a registered pair leaves as BIDS derivatives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from monai.transforms import Transform

from bundle.errors import InputError
from bundle.fusion import FusedVolumes
from bundle.images.pictures import write_picture
from bundle.options import Options
from bundle.results.held import held
from bundle.results.report import Report
from bundle.results.thumbnail import thumbnail
from bundle.results.units import UNKNOWN_UNIT, unit_of
from bundle.results.writing import write
from bundle.workflow.bids.dataset import as_json
from bundle.workflow.bids.find import image_of_record
from bundle.workflow.bids.names import SPACE, BidsImage
from bundle.workflow.bids.sidecars import sidecars
from bundle.workflow.datalist import options_for

IMAGES = {
    "fused": "fused.nii.gz",
    "fusedcolor": "fused_color.nii.gz",
    "uncertainty": "uncertainty.nii.gz",
}
"""Values of ``desc``, and the files of a result that they stand for; not all are always there."""

LAST = {"registered": "warped.nii.gz"}
LAST_OF_4D = {"registeredmean": "warped.nii.gz", "registered": "warped_4d.nii.gz"}
"""Likewise, of an image with frames and of others; the last one says that all are there."""


class SaveDerivatived(Transform):
    """Write what lies under ``pred`` under the names of BIDS; adds ``report``.

    A folder of results is filled first, out of sight, and its files are moved from there; the JSON
    file of the registered image comes last, see :func:`bundle.workflow.bids.find.is_finished`.

    Args:
        options: what the pair was made with.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Write the results of one record of :func:`bundle.workflow.bids.find.find_bids`."""
        work, out = Path(data["output_dir"]), Path(data["derivatives"])
        try:
            with held(work):
                _clear(work)
                report = write(data["pred"], work, options_for(data, self.options))
                # all are there before the first one is moved
                moves = list(_moves(data, work, report, self.options.colormap))
                (out / image_of_record(data).finished).unlink(missing_ok=True)  # of an older result
                for source, target in moves:
                    (out / target).parent.mkdir(parents=True, exist_ok=True)
                    source.replace(out / target)
                _clear(work)
            with suppress(OSError):  # another run may be at work there by now
                work.rmdir()
        except OSError as error:
            raise InputError(
                f"{out}: cannot be written to ({error.strerror or error}); choose another folder"
            ) from error
        return {**data, "report": report}


def _clear(work: Path) -> None:
    """Remove what a hidden folder holds: what a run that was killed has left, or is not needed."""
    for path in work.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _moves(
    record: dict[str, Any], work: Path, report: Report, colormap: str | None
) -> Iterator[tuple[Path, Path]]:
    """Files in the hidden folder, and where among the derivatives they belong, in order."""
    image, fused = image_of_record(record), record["pred"]
    said = sidecars(
        image, Path(record["fixed"]), Path(record["bids_dir"]), report.as_json(), _unit(fused)
    )
    write_picture(thumbnail(fused, colormap), work / "thumbnail.png")
    yield work / "thumbnail.png", image.figure("thumbnail").with_suffix(".png")
    yield work / "report.html", image.figure("report").with_suffix(".html")
    yield work / "report.json", image.report
    for file, stem in _transforms(image).items():
        yield work / file, stem.with_suffix(".h5")
        yield _json(work, file, said["transform"]), stem.with_suffix(".json")
    last = LAST_OF_4D if (work / "warped_4d.nii.gz").is_file() else LAST
    for description, file in (IMAGES | last).items():
        if (work / file).is_file():
            stem = image.derivative(description)
            yield work / file, stem.with_suffix(".nii.gz")
            yield _json(work, file, said[description]), stem.with_suffix(".json")


def _transforms(image: BidsImage) -> dict[str, Path]:
    """Files of a result to their places; ITK's maps points the other way than images go."""
    return {
        "transform.h5": image.transform(image.suffix, SPACE),
        "transform_inverse.h5": image.transform(SPACE, image.suffix),
    }


def _json(work: Path, file: str, content: dict[str, Any]) -> Path:
    path = work / f"{file}.json"
    path.write_text(as_json(content), encoding="utf-8")
    return path


def _unit(fused: FusedVolumes) -> str | None:
    unit = unit_of(fused.registration.pair)
    return None if unit == UNKNOWN_UNIT else unit
