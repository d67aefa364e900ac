"""Read NIfTI and DICOM files whose headers were changed at random, and say what became of them.

From the repository root: ``python -m tests.images.mutations --count 2000 [--seed 0]``. Each file
has to be read with the right geometry (or with a warning where two statements of the header
disagree), or to be refused in one line; without a crash, within 10 s, in 2 GiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import struct
import tempfile
import time
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np

from bundle.errors import InputError
from bundle.images.volumes import read_volume
from bundle.phantom.head import make_head
from tests.images.series import dicom_of

MEMORY, SECONDS = 2**31, 10
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
HEAD = make_head(0, (80, 96, 40), (2.0, 2.0, 4.0))
T1 = (1000 * HEAD.contrast("T1")).astype(np.int16)
FEWER = T1[:, :, ::4]
COARSE = HEAD.affine @ np.diag([1, 1, 4, 1])

IGNORED = ("data_type", "db_name", "descrip", "aux_file", "intent_name")
TEXTS = (
    b"", b"0", b"-1", b"abc", b"nan", b"inf", b"1e400", b"1\\2", b"1\\2\\3", b"1\\0\\0\\0\\1\\0",
    b"0\\0\\0\\0\\0\\0", b"-1\\0\\0\\0\\1\\0", b"\\", b"1.000001", b"0.001\\0.001", b"1000\\1000",
    b"2\\2", b"-2\\2", b"999999999", b"\xff\xfe", b"1,5", b"PALETTE COLOR", b"RGB",
)  # fmt: skip
NUMBERS = (0, 1, 2, 7, 8, 12, 16, 32, 79, 97, 200, 32767, 65535)
ELEMENTS = {
    (0x0028, 0x0030): b"DS",
    (0x0020, 0x0037): b"DS",
    (0x0020, 0x0032): b"DS",
    (0x0028, 0x1052): b"DS",
    (0x0028, 0x1053): b"DS",
    (0x0020, 0x0013): b"IS",
    (0x0028, 0x0004): b"CS",
    (0x0008, 0x0060): b"CS",
    (0x0020, 0x000E): b"UI",
    (0x0028, 0x0002): b"US",
    (0x0028, 0x0010): b"US",
    (0x0028, 0x0011): b"US",
    (0x0028, 0x0100): b"US",
    (0x0028, 0x0101): b"US",
    (0x0028, 0x0102): b"US",
    (0x0028, 0x0103): b"US",
}
"""Attributes that are changed, with their value representations: of pixels, places and series."""


def nifti(rng: np.random.Generator, folder: Path, whole: bytes) -> tuple[Path, str]:
    """Write a NIfTI file of which one to three fields, or some bytes, are wrong."""
    path = folder / "head.nii"
    if rng.random() < 0.15:
        raw = bytearray(whole)
        for place in rng.integers(0, 352, rng.integers(1, 4)):
            raw[place] = rng.integers(256)
        path.write_bytes(raw)
        return path, "bytes"
    header = nibabel.Nifti1Header(whole[:348], "<", check=False).structarr
    names = [name for name in header.dtype.names if name not in IGNORED]
    chosen = rng.choice(names, rng.integers(1, 4), replace=False)
    for name in chosen:
        field = np.atleast_1d(header[name])
        place = rng.integers(field.size)
        if field.dtype.kind == "f":
            old = field.flat[place]
            choice = (0, -old, old * 1.001, old * 10, old / 1000, np.nan, np.inf, 1e30, -1, 1, 7.5)
        elif field.dtype.kind == "S":
            choice = (b"", b"ni1", b"n+2", b"xyz")
        else:
            low, high = np.iinfo(field.dtype).min, np.iinfo(field.dtype).max
            choice = (0, 1, 2, 3, 4, 5, 8, 16, 64, 79, 128, low, high, rng.integers(low, high))
        field.flat[place] = choice[rng.integers(len(choice))]
        header[name] = field.reshape(header[name].shape)
    path.write_bytes(header.tobytes() + whole[348:])
    return path, "+".join(map(str, chosen))


def dicom(rng: np.random.Generator, folder: Path, whole: dict[str, bytes]) -> tuple[Path, str]:
    """Write a series of which one attribute is wrong or missing, in one slice or in all."""
    keys = list(ELEMENTS)
    tag = keys[rng.integers(len(keys))]
    names = list(whole) if rng.random() < 0.6 else [list(whole)[rng.integers(len(whole))]]
    if ELEMENTS[tag] == b"US":
        value: bytes | None = struct.pack("<H", NUMBERS[rng.integers(len(NUMBERS))])
    else:
        value = TEXTS[rng.integers(len(TEXTS))]
    value = None if rng.random() < 0.15 else value
    for name, raw in whole.items():
        (folder / name).write_bytes(changed(raw, tag, value) if name in names else raw)
    return folder, f"{tag[0]:04x},{tag[1]:04x}={value!r} in {len(names)}"


def changed(raw: bytes, tag: tuple[int, int], value: bytes | None) -> bytes:
    """A file with another value of an attribute, or without it."""
    start = raw.index(struct.pack("<HH", *tag) + ELEMENTS[tag], 132)
    (length,) = struct.unpack("<H", raw[start + 6 : start + 8])
    rest = raw[start + 8 + length :]
    if value is None:
        return raw[:start] + rest
    value += b" " * (len(value) % 2)
    return raw[: start + 6] + struct.pack("<H", len(value)) + value + rest


def outcome(path: Path, affine: np.ndarray, shape: tuple[int, ...]) -> str:
    """``right``, ``warned``, ``refused``, or what must not be."""
    try:
        volume = read_volume(path)
    except InputError as error:
        text = str(error)
        named = text.startswith(str(path)) and "\n" not in text
        return "refused" if named else f"a message without its file: {text}"
    except BaseException as error:  # also what signals and the limit of memory bring up
        return f"{type(error).__name__}: {error}"
    warned = any(one.warning for one in volume.remarks)
    if volume.image.GetSize() != shape:
        return f"wrong: read as {volume.image.GetSize()}"
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(shape) - 1)
    found = [volume.image.TransformIndexToPhysicalPoint(corner.tolist()) for corner in corners]
    expected = (TO_LPS @ affine @ np.c_[corners, np.ones(8)].T)[:3].T
    away = float(np.linalg.norm(found - expected, axis=1).max())
    if away <= 0.1:
        return "right"
    return "warned" if warned else f"wrong: {away:.1f} mm off"


def stated(description: str) -> bool:
    """Whether a header says consistently that it lies elsewhere or has another pixel size."""
    if "sform_code" in description:  # 0, so that only the qform counts, which is changed too
        return any(part in description for part in ("qoffset", "quatern", "pixdim"))
    everywhere = description.endswith(f"in {FEWER.shape[2]}")
    legal = (
        "=b'1\\\\0\\\\0\\\\0\\\\1\\\\0'",
        "=b'-1\\\\0\\\\0\\\\0\\\\1\\\\0'",
        "=b'1\\\\2'",
        "=b'2\\\\2'",
    )
    return everywhere and any(value in description for value in legal)


def run(count: int, seed: int) -> dict[str, object]:
    """Read so many changed files, half of each kind."""
    rng = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    bad, slowest = [], 0.0
    limit_memory()
    signal.signal(signal.SIGALRM, _too_long)
    with tempfile.TemporaryDirectory() as place:
        image = nibabel.Nifti1Image(T1, HEAD.affine)
        image.set_sform(HEAD.affine, 1)
        image.set_qform(HEAD.affine, 1)
        image.header.set_xyzt_units("mm")
        whole = image.to_bytes()
        folder = dicom_of(Path(place) / "series", FEWER, COARSE, "MR")
        slices = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        for number in range(count):
            if number % 2:
                path, what = dicom(rng, folder, slices)
                affine, shape = COARSE, FEWER.shape
            else:
                path, what = nifti(rng, Path(place), whole)
                affine, shape = HEAD.affine, T1.shape
            began = time.monotonic()
            signal.alarm(SECONDS * 6)  # of a machine that is busy
            said = outcome(path, affine, shape)
            signal.alarm(0)
            slowest = max(slowest, time.monotonic() - began)
            if said.startswith("wrong") and stated(what):
                said = "stated so"
            outcomes[said if said in ("right", "warned", "refused", "stated so") else "bad"] += 1
            if outcomes["bad"] > len(bad):
                bad.append(f"{number}: {what}: {said}")
    return {"outcomes": dict(outcomes), "bad": bad, "slowest": round(slowest, 2)}


def limit_memory() -> None:
    """Let this process take ``MEMORY`` bytes more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(json.dumps(run(given.count, given.seed), indent=1))
