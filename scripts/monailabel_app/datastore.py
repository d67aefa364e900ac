"""A folder of studies as MONAI Label's datastore: files and folders with a DICOM series."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.datastore.local import LocalDatastore

from bundle.images.dicom import holds_series
from bundle.images.kinds import PICTURES, WRITTEN

SUFFIXES = (*WRITTEN, *PICTURES)
LONGEST_NAME = 120
"""Bytes of an id or a tag, which become file names."""

HEADER = 65536
"""Bytes at the start of an upload that are searched for the name of another file."""


class FolderDatastore(LocalDatastore):
    """MONAI Label's local datastore, made safe and aware of DICOM folders.

    Every image file of the folder is an image, and so is every subfolder that holds a DICOM
    series; the id is the name without the suffix, and an id that two of them share is refused with
    HTTP 409. The folder is read anew on each request instead of by a watching thread, so that a
    new file is found at once and requests never meet a half-built index. Ids and tags that could
    name a file elsewhere are refused with HTTP 400.

    Args:
        folder: the studies; results go to ``labels/<tag>/`` within it.
    """

    def __init__(self, folder: str) -> None:
        self._guard = threading.RLock()
        super().__init__(folder, extensions=[f"*{s}" for s in SUFFIXES], auto_reload=False)

    def _list_files(self, path: str, patterns: list[str]) -> dict[str, str]:
        """Images and, among the studies themselves, the folders of DICOM series."""
        studies = Path(path).resolve() == Path(self._datastore.image_path()).resolve()
        found = (
            p for p in Path(path).iterdir() if _is_image(p) or (studies and self._is_series(p))
        )
        return {one.name: one.name for one in found}

    def _is_series(self, path: Path) -> bool:
        return path.is_dir() and path.name != self._datastore.labels_dir and _holds_dicom(path)

    def _require_one(self, image_id: str) -> None:
        """Refuse an id that two images share: which one is meant cannot be told.

        Raises:
            HTTPException: status 409.
        """
        alike = [
            path.name
            for path in sorted(Path(self._datastore.image_path()).iterdir())
            if self._to_id(path.name)[0] == image_id and (_is_image(path) or self._is_series(path))
        ]
        if len(alike) > 1:
            names = " and ".join(alike)
            raise HTTPException(409, f"{names} have the same id '{image_id}'; rename all but one")

    def _to_id(self, file: str) -> tuple[str, str]:
        """Id and suffix; what is no image (a page, a transform) keeps its last suffix."""
        name = file.lower()
        suffix = max((s for s in SUFFIXES if name.endswith(s)), key=len, default="")
        if not suffix and not (Path(self._datastore.image_path()) / file).is_dir():
            suffix = Path(file).suffix
        return file[: len(file) - len(suffix)], file[len(file) - len(suffix) :]

    def refresh(self) -> None:
        """Read the folder anew."""
        with self._guard:
            super().refresh()

    def get_image_uri(self, image_id: str) -> str:
        """Path of an image, or an empty string; raises ``HTTPException`` if two have the id."""
        with self._guard:
            self._require_one(image_id)
            self.refresh()
            return super().get_image_uri(image_id)

    def status(self) -> dict[str, Any]:
        """Counts, of the folder as it is now."""
        with self._guard:
            self.refresh()
            return super().status()

    def json(self) -> dict[str, Any]:
        """All images and results, of the folder as it is now."""
        with self._guard:
            self.refresh()
            return super().json()

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Take an image up; raises ``HTTPException`` if its name or kind will not do."""
        name = image_id or self._to_id(Path(image_filename).name)[0]
        with _discarded_if_refused(image_filename), self._guard:
            require_plain(name, "id of an image")
            require_image(image_filename)
            if self.get_image_uri(name):
                raise HTTPException(409, f"there is an image '{name}' already; take another id")
            return super().add_image(name, image_filename, image_info)

    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]
    ) -> str:
        """Store a result; raises ``HTTPException`` if the tag or the image's id will not do."""
        with _discarded_if_refused(label_filename), self._guard:
            require_plain(label_tag, "tag")
            self._require_one(image_id)
            return super().save_label(image_id, label_filename, label_tag, label_info)

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Path of a result, or an empty string."""
        with self._guard:
            return super().get_label_uri(label_id, label_tag)

    def remove_image(self, image_id: str) -> None:
        """Remove an image and its results; raises ``HTTPException`` if two have the id."""
        with self._guard:
            self._require_one(image_id)
            super().remove_image(image_id)

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove a result."""
        with self._guard:
            super().remove_label(label_id, label_tag)


def _is_image(path: Path) -> bool:
    """By its suffix; what is hidden, such as the ``._NAME.png`` of macOS, is none."""
    name = path.name
    return name.lower().endswith(SUFFIXES) and not name.startswith(".") and path.is_file()


def require_plain(name: Any, what: str) -> None:
    """Refuse what is not a plain name of a file.

    Raises:
        HTTPException: status 400.
    """
    plain = isinstance(name, str) and name.isprintable()
    plain = plain and 0 < len(name.encode("utf-8", "replace")) <= LONGEST_NAME
    if not plain or name.startswith(".") or set(name) & set("/\\:"):
        raise HTTPException(400, f"the {what} has to be a plain name without path separators")


def require_image(path: str) -> None:
    """Refuse an upload that is no image of a known kind, or whose header names another file.

    Raises:
        HTTPException: status 415 or 422.
    """
    if not path.lower().endswith(SUFFIXES):
        raise HTTPException(415, f"an image is one of {', '.join(SUFFIXES)}")
    if not Path(path).stat().st_size:
        raise HTTPException(422, "the uploaded image is empty")
    with Path(path).open("rb") as file:
        header = file.read(HEADER).lower()
    names_another = {
        ".mhd": True,
        ".mha": re.search(rb"^elementdatafile\s*=\s*local\s*$", header, re.MULTILINE) is None,
        ".nrrd": re.search(rb"^data ?file\s*:", header, re.MULTILINE) is not None,
    }
    if names_another.get(Path(path).suffix.lower()):
        raise HTTPException(415, "the header names another file; upload the image as one .nii.gz")


@contextmanager
def _discarded_if_refused(upload: str) -> Iterator[None]:
    """MONAI Label leaves what it refuses in the folder for temporary files."""
    try:
        yield
    except BaseException:
        if Path(upload).parent == Path(tempfile.gettempdir()):
            Path(upload).unlink(missing_ok=True)
        raise


def _holds_dicom(folder: Path) -> bool:
    return not folder.name.startswith(".") and holds_series(folder)
