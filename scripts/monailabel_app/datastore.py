"""A folder of studies as MONAI Label's datastore: files and folders with a DICOM series."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import SimpleITK as sitk
from fastapi import HTTPException
from monailabel.datastore.local import LocalDatastore

from bundle.inference.volumes import SUFFIXES as VOLUMES
from bundle.pictures.read import SUFFIXES as PICTURES

SUFFIXES = (*VOLUMES, *PICTURES)
LONGEST_NAME = 120
"""Characters of an id or a tag, which become file names."""


class FolderDatastore(LocalDatastore):
    """MONAI Label's local datastore, made safe and aware of DICOM folders.

    Every image file of the folder is an image, and so is every subfolder that holds a DICOM
    series; the id is the name without the suffix. The folder is read anew on each request
    instead of by a watching thread, so that a new file is found at once and requests never meet
    a half-built index. Ids and tags that could name a file elsewhere are refused with HTTP 400.

    Args:
        folder: the studies; results go to ``labels/<tag>/`` within it.
    """

    def __init__(self, folder: str) -> None:
        self._guard = threading.RLock()
        super().__init__(folder, extensions=[f"*{s}" for s in SUFFIXES], auto_reload=False)

    def _list_files(self, path: str, patterns: list[str]) -> dict[str, str]:
        """Images and, among the studies themselves, the folders of DICOM series."""
        files = {
            file.name: file.name
            for file in Path(path).iterdir()
            if file.is_file() and file.name.lower().endswith(SUFFIXES)
        }
        if Path(path).resolve() != Path(self._datastore.image_path()).resolve():
            return files
        folders = (p.name for p in Path(path).iterdir() if p.is_dir() and _holds_dicom(p))
        return {**files, **{name: name for name in folders if name != self._datastore.labels_dir}}

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
        """Path of an image, or an empty string."""
        with self._guard:
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
        require_plain(name, "id of an image")
        if not image_filename.lower().endswith(SUFFIXES):
            raise HTTPException(415, f"an image is one of {', '.join(SUFFIXES)}")
        if not Path(image_filename).stat().st_size:
            raise HTTPException(422, "the uploaded image is empty")
        with self._guard:
            return super().add_image(name, image_filename, image_info)

    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]
    ) -> str:
        """Store a result; raises ``HTTPException`` if the tag will not do."""
        require_plain(label_tag, "tag")
        with self._guard:
            return super().save_label(image_id, label_filename, label_tag, label_info)

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Path of a result, or an empty string."""
        with self._guard:
            return super().get_label_uri(label_id, label_tag)

    def remove_image(self, image_id: str) -> None:
        """Remove an image and its results."""
        with self._guard:
            super().remove_image(image_id)

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove a result."""
        with self._guard:
            super().remove_label(label_id, label_tag)


def require_plain(name: Any, what: str) -> None:
    """Refuse what is not a plain name of a file.

    Raises:
        HTTPException: status 400.
    """
    plain = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()
    if not plain or name.startswith(".") or set(name) & set("/\\:"):
        raise HTTPException(400, f"the {what} has to be a plain name without path separators")


def _holds_dicom(folder: Path) -> bool:
    if folder.name.startswith("."):
        return False
    return bool(sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)))
