"""DICOM series of which an attribute, a file or some bytes are wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from tests.images.mutated import COARSE, FEWER, Case
from tests.images.series import dicom_of

TEXTS = (
    b"", b"0", b"-1", b"abc", b"nan", b"inf", b"1e400", b"1\\2", b"1\\2\\3", b"1\\0\\0\\0\\1\\0",
    b"0\\0\\0\\0\\0\\0", b"-1\\0\\0\\0\\1\\0", b"\\", b"1.000001", b"0.001\\0.001", b"1000\\1000",
    b"2\\2", b"-2\\2", b"999999999", b"\xff\xfe", b"1,5", b"PALETTE COLOR", b"RGB", b"MONOCHROME1",
    b"1.02\\0\\0\\0\\1\\0", b"1\\0\\0\\.2\\1\\0", b"79\\-94\\-60", b"HFP", b"1.2.840.10008.1.2",
    b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.5", b"2", b"-16", b"32",
)  # fmt: skip
NUMBERS = (0, 1, 2, 7, 8, 12, 16, 32, 79, 97, 200, 32767, 65535)
ELEMENTS = {
    (0x0002, 0x0010): b"UI", (0x0008, 0x0016): b"UI", (0x0008, 0x0060): b"CS",
    (0x0018, 0x0050): b"DS", (0x0018, 0x0088): b"DS", (0x0018, 0x1120): b"DS",
    (0x0018, 0x5100): b"CS", (0x0020, 0x000D): b"UI", (0x0020, 0x000E): b"UI",
    (0x0020, 0x0013): b"IS", (0x0020, 0x0032): b"DS", (0x0020, 0x0037): b"DS",
    (0x0020, 0x0052): b"UI", (0x0028, 0x0002): b"US", (0x0028, 0x0004): b"CS",
    (0x0028, 0x0006): b"US", (0x0028, 0x0008): b"IS", (0x0028, 0x0010): b"US",
    (0x0028, 0x0011): b"US", (0x0028, 0x0030): b"DS", (0x0028, 0x0100): b"US",
    (0x0028, 0x0101): b"US", (0x0028, 0x0102): b"US", (0x0028, 0x0103): b"US",
    (0x0028, 0x1052): b"DS", (0x0028, 0x1053): b"DS",
}  # fmt: skip
"""Attributes that are changed, with their value representations: of pixels, places and series."""

UNUSED = {
    "SliceThickness": 16, "SpacingBetweenSlices": 16, "GantryDetectorTilt": 0,
    "PatientPosition": "HFS", "FrameOfReferenceUID": "1.2.9", "PlanarConfiguration": 0,
    "NumberOfFrames": 1,
}  # fmt: skip
RESCALED = ("0028,1052", "0028,1053", "0028,0101", "0028,0102", "0028,0103")
"""Attributes that say what the stored values mean."""

SERIES = (0x0020, 0x000E)
"""The attribute that says which series a slice belongs to."""

LEGAL = tuple(
    f"={value!r}" for value in (b"1\\0\\0\\0\\1\\0", b"-1\\0\\0\\0\\1\\0", b"1\\2", b"2\\2")
)
"""Orientations and sizes that a series may consistently have."""


class DicomSeries:
    """A T1 of the phantom as ten slices."""

    def __init__(self, place: Path) -> None:
        self._folder = dicom_of(place / "series", FEWER, COARSE, "MR", **UNUSED)
        self._whole = {path.name: path.read_bytes() for path in sorted(self._folder.iterdir())}

    def changed(self, rng: np.random.Generator) -> Case:
        """The series, wrong."""
        way = rng.random()
        files = dict(self._whole)
        name = list(files)[rng.integers(len(files))]
        stated = False
        if way < 0.08:
            raw = bytearray(files[name])
            for place in rng.integers(132, 1000, rng.integers(1, 4)):
                raw[place] = rng.integers(256)
            files[name], change, stated = bytes(raw), f"bytes of {name}", True
        elif way < 0.12:
            place = int(rng.integers(0, len(files[name])))
            files[name], change = files[name][:place], f"{name} cut at {place}"
        elif way < 0.14:
            files["again.dcm"], change = files[name], f"{name} twice"
        elif way < 0.16:
            del files[name]
            change, stated = f"without {name}", name in (min(self._whole), max(self._whole))
        else:
            change, stated = self._with_attribute(rng, files, name)
        for path in self._folder.iterdir():
            path.unlink()
        for one, raw in files.items():
            (self._folder / one).write_bytes(raw)
        return Case(self._folder, change, FEWER, COARSE, stated)

    def _with_attribute(
        self, rng: np.random.Generator, files: dict[str, bytes], name: str
    ) -> tuple[str, bool]:
        keys = list(ELEMENTS)
        tag = keys[rng.integers(len(keys))]
        names = list(files) if rng.random() < 0.6 else [name]
        if ELEMENTS[tag] == b"US":
            value: bytes | None = struct.pack("<H", NUMBERS[rng.integers(len(NUMBERS))])
        else:
            value = TEXTS[rng.integers(len(TEXTS))]
        value = None if rng.random() < 0.15 else value
        for one in names:
            files[one] = with_value(files[one], tag, value)
        change = f"{tag[0]:04x},{tag[1]:04x}={value!r} in {len(names)}"
        if tag == SERIES and len(names) == 1:  # then a slice is missing, and noted as a series
            return change, name in (min(files), max(files))
        everywhere = len(names) == len(files) and change.partition(" in ")[0].endswith(LEGAL)
        return change, everywhere or change.startswith(RESCALED)


def with_value(raw: bytes, tag: tuple[int, int], value: bytes | None) -> bytes:
    """A file with another value of an attribute, or without it."""
    start = raw.index(struct.pack("<HH", *tag) + ELEMENTS[tag], 132)
    (length,) = struct.unpack("<H", raw[start + 6 : start + 8])
    rest = raw[start + 8 + length :]
    if value is None:
        return raw[:start] + rest
    value += b" " * (len(value) % 2)
    return raw[: start + 6] + struct.pack("<H", len(value)) + value + rest
