"""Names of BIDS: what a file's name says, and how the files made of it are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundle.domain import Modality
from bundle.errors import InputError
from bundle.images import kinds

SUFFIXES = {
    "ct": Modality.CT,
    "pet": Modality.PET,
    "spect": Modality.SPECT,
    "nm": Modality.SPECT,
}
"""Last part of the names of moving images; the standard itself knows PET alone."""

SPACE = "T1w"
"""The space of the results, by the suffix of the fixed image."""


@dataclass(frozen=True)
class BidsImage:
    """An image by its name.

    Attributes:
        path: the file.
        folder: its folder in the dataset, such as ``sub-01/ses-a/pet``.
        entities: the parts of its name in their order, such as ``{"sub": "01", "trc": "FDG"}``.
        suffix: the last part, such as ``pet``.
    """

    path: Path
    folder: Path
    entities: dict[str, str]
    suffix: str

    @property
    def stem(self) -> str:
        """The entities as they stand in the name."""
        return "_".join(f"{key}-{value}" for key, value in self.entities.items())

    @property
    def name(self) -> str:
        """The file's name without its ending; the image's id."""
        return f"{self.stem}_{self.suffix}"

    @property
    def session(self) -> str | None:
        """The session that the name says."""
        return self.entities.get("ses")

    def derivative(self, description: str) -> Path:
        """Where an image made of this one belongs among the derivatives, without its ending.

        Args:
            description: value of the entity ``desc``.
        """
        return self.folder / f"{self.stem}_space-{SPACE}_desc-{description}_{self.suffix}"

    def transform(self, source: str, target: str) -> Path:
        """Where a transform belongs that brings images of ``source`` onto ``target``."""
        return self.folder / f"{self.stem}_from-{source}_to-{target}_mode-image_xfm"

    def figure(self, description: str) -> Path:
        """Where a page or picture of this image belongs, without its ending."""
        subject = self.folder.parts[0]
        return Path(subject) / "figures" / f"{self.stem}_desc-{description}_{self.suffix}"

    @property
    def report(self) -> Path:
        """Where the measures of the registration belong."""
        return self.figure("report").with_suffix(".json")

    @property
    def finished(self) -> Path:
        """The file that is written last: where it is, all others are."""
        return self.derivative("registered").with_suffix(".json")


def image_of(path: Path, root: Path) -> BidsImage | None:
    """What a file's name says.

    Args:
        path: a file of the dataset.
        root: the dataset's folder.

    Returns:
        None where it is no volume with a name of BIDS.
    """
    *parts, suffix = path.name.partition(".")[0].split("_")
    pairs = [part.partition("-") for part in parts]
    named = suffix.isalnum() and all(key and value for key, _, value in pairs)
    if not (pairs and named and path.name.lower().endswith(kinds.VOLUMES)):
        return None
    entities = {key: value for key, _, value in pairs}
    return BidsImage(path, path.parent.relative_to(root), entities, suffix)


def require_in_place(image: BidsImage) -> None:
    """Refuse a file whose name says another subject or session than its folders do.

    Raises:
        InputError: it does.
    """
    for part in image.folder.parts:
        entity = part.partition("-")[0]
        said = image.entities.get(entity) if entity in ("sub", "ses") else None
        if said is not None and part != f"{entity}-{said}":
            raise InputError(
                f"{image.path}: its name says {entity}-{said}, its folder {part}; rename or move it"
            )
