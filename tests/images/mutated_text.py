"""NRRD and MetaImage files of which lines are wrong, missing or there twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from tests.images.mutated import COARSE, FEWER, TO_LPS, Case

WORDS = (
    "", "0", "-1", "1", "2", "3", "4", "5", "16", "1e400", "nan", "inf", "1000", "0.001",
    "99999999999",
    "none", "raw", "gzip", "ascii", "hex", "bzip2", "zrl", "big", "little", "RAS", "LPS",
    "left-anterior-superior", "scanner-xyz", "domain", "vector", "time", "True", "False", "float",
    "uchar", "MET_FLOAT", "MET_UCHAR", "MET_STRING", "LOCAL", "LIST", "head.raw", "/dev/zero",
    "nowhere.raw", "img%03d.raw 1 40 1", '"m"', '"inch"', "(0,0,0)", "(1,1,1)", "(1,0)", "cm",
)  # fmt: skip
FURTHER = {
    ".nrrd": ('space units: "mm" "mm" "mm"', 'units: "cm" "cm" "cm"', "byte skip: 0",
              "byte skip: -1", "line skip: 2", "spacings: 2 2 16", "data file: head.raw",
              "axis mins: 0 0 0", "space dimension: 3", "centerings: node cell cell"),
    ".mha": ("DistanceUnits = cm", "ElementSize = 1 1 1", "HeaderSize = -1", "HeaderSize = 10",
             "ElementNumberOfChannels = 3", "Rotation = -1 0 0 0 1 0 0 0 1", "Origin = 0 0 0",
             "ElementByteOrderMSB = True", "ObjectSubType = Image"),
}  # fmt: skip
"""Lines that may stand in a header besides."""

CONSISTENT = ("space", "directions", "origin", "Offset", "Origin", "Matrix", "Rotation", "Spacing",
              "type", "Type", "ndian", "MSB")  # fmt: skip
"""Parts of fields that alone say where the volume lies, or what its bytes mean."""


class TextHeaders:
    """A T1 of the phantom as NRRD and MetaImage, compressed or not, in one file or two."""

    def __init__(self, folder: Path) -> None:
        image = sitk.GetImageFromArray(np.ascontiguousarray(FEWER.T))
        lps = TO_LPS @ COARSE
        steps = np.linalg.norm(lps[:3, :3], axis=0)
        image.SetSpacing(steps.tolist())
        image.SetOrigin(lps[:3, 3].tolist())
        image.SetDirection((lps[:3, :3] / steps).ravel().tolist())
        self._folder = folder
        self._whole: list[tuple[str, list[str], bytes]] = []
        (folder / "head.raw").write_bytes(FEWER.tobytes(order="F"))
        for suffix, last in ((".nrrd", "\n\n"), (".mha", "LOCAL\n")):
            for packed in (False, True):
                path = folder / f"whole{suffix}"
                sitk.WriteImage(image, str(path), packed)
                head, rest = path.read_bytes().split(last.encode(), 1)
                lines = (head + last.strip().encode()).decode().splitlines()
                self._whole.append((suffix, lines, rest))
        detached = [*self._whole[2][1][:-1], "ElementDataFile = head.raw"]
        self._whole.append((".mhd", detached, b""))
        detached = [*self._whole[0][1], "data file: head.raw"]
        self._whole.append((".nrrd", detached, b""))

    def changed(self, rng: np.random.Generator) -> Case:
        """One of the files, wrong."""
        suffix, lines, rest = self._whole[rng.integers(len(self._whole))]
        lines, changes = list(lines), []
        for _ in range(rng.integers(1, 3)):
            place = int(rng.integers(1, len(lines)))
            way = rng.random()
            if way < 0.15:
                changes.append(f"without {lines.pop(place)}")
            elif way < 0.25:
                further = FURTHER[".nrrd" if suffix == ".nrrd" else ".mha"]
                lines.insert(place, further[rng.integers(len(further))])
                changes.append(lines[place])
            else:
                lines[place] = _with_word(rng, lines[place])
                changes.append(lines[place])
        if rng.random() < 0.05 and rest:
            place = int(rng.integers(len(rest)))
            rest = rest[:place]
            changes.append(f"cut at {place}")
        path = self._folder / f"head{suffix}"
        end = "\n\n" if suffix == ".nrrd" else "\n"
        path.write_bytes("\n".join(lines).encode() + end.encode() + rest)
        change = "; ".join(changes)
        stated = any(part in change for part in CONSISTENT)
        return Case(path, f"{suffix} {change}", FEWER, COARSE, stated)


def _with_word(rng: np.random.Generator, line: str) -> str:
    """A line of which one word, number or character is another."""
    separator = " = " if " = " in line else ": "
    key, there, value = line.partition(separator)
    word = WORDS[rng.integers(len(WORDS))]
    way = rng.random()
    if not there or way < 0.1:
        at = int(rng.integers(len(line)))
        return line[:at] + chr(rng.integers(32, 126)) + line[at + 1 :]
    words = value.split(" ")
    if way < 0.4:
        return key + there + word
    if way < 0.8:
        words[rng.integers(len(words))] = word
    else:
        words.append(word)
    return key + there + " ".join(words)
