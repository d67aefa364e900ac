"""Multi-frame DICOM files, enhanced and of nuclear medicine, of which a value is wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from tests.images.frames import enhanced, item, nuclear
from tests.images.mutated import COARSE, FEWER, Case
from tests.images.mutated_dicom import NUMBERS, TEXTS

ELEMENTS = {
    (0x0008, 0x0008): b"CS", (0x0008, 0x0016): b"UI", (0x0008, 0x0060): b"CS",
    (0x0018, 0x0088): b"DS", (0x0020, 0x0032): b"DS", (0x0020, 0x0037): b"DS",
    (0x0028, 0x0008): b"IS", (0x0028, 0x0010): b"US", (0x0028, 0x0030): b"DS",
    (0x0028, 0x0100): b"US", (0x0028, 0x1052): b"DS", (0x0028, 0x1053): b"DS",
    (0x0054, 0x0080): b"US", (0x0020, 0x9056): b"SH", (0x0020, 0x9128): b"UL",
}  # fmt: skip
"""Attributes that are changed, with their value representations."""

CONSISTENT = ("0018,0088", "0020,0032", "0020,0037", "0028,0030", "0028,1052", "0028,1053")
"""What stands once for all frames, or alone says what a frame's values mean."""


class MultiFrameFiles:
    """A T1 of the phantom as an enhanced MR image and as a reconstruction of nuclear medicine."""

    def __init__(self, place: Path) -> None:
        said = {
            "FrameContentSequence": item(StackID="1", TemporalPositionIndex=1),
            "PixelValueTransformationSequence": item(RescaleSlope=1, RescaleIntercept=0),
        }
        written = (
            enhanced(place / "enhanced" / "a.dcm", [FEWER], COARSE, [said]),
            nuclear(place / "nuclear" / "a.dcm", [FEWER], COARSE),
        )
        self._whole = [(path, path.read_bytes()) for path in written]

    def changed(self, rng: np.random.Generator) -> Case:
        """One of the files, wrong."""
        path, raw = self._whole[rng.integers(2)]
        if rng.random() < 0.2:
            bad = bytearray(raw)
            for place in rng.integers(132, min(len(raw) - FEWER.nbytes, 4000), rng.integers(1, 4)):
                bad[place] = rng.integers(256)
            path.write_bytes(bad)
            return Case(path.parent, f"bytes of {path.parent.name}", FEWER, COARSE, True)
        tag, kind = list(ELEMENTS.items())[rng.integers(len(ELEMENTS))]
        mark = struct.pack("<HH", *tag) + kind
        places = [n for n in range(132, len(raw) - FEWER.nbytes) if raw.startswith(mark, n)]
        if not places:
            return self.changed(rng)
        value = TEXTS[rng.integers(len(TEXTS))]
        if kind in (b"US", b"UL"):
            value = struct.pack("<I", NUMBERS[rng.integers(len(NUMBERS))])[
                : 2 + 2 * (kind == b"UL")
            ]
        start = places[rng.integers(len(places))]
        (length,) = struct.unpack("<H", raw[start + 6 : start + 8])
        if rng.random() < 0.8:  # lengths of sequences stay right
            value = value.ljust(length)[:length]
        else:
            value += b" " * (len(value) % 2)
        head = raw[: start + 6] + struct.pack("<H", len(value)) + value
        path.write_bytes(head + raw[start + 8 + length :])
        change = f"{path.parent.name} {tag[0]:04x},{tag[1]:04x}={value!r} at {start}"
        stated = any(part in change for part in CONSISTENT)
        return Case(path.parent, change, FEWER, COARSE, stated)
