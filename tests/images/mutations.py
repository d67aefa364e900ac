"""Read files whose headers were changed at random, and say what became of them.

From the repository root: ``python -m tests.images.mutations --count 2000 [--seed 0]``. Three of
eight files are NIfTI, three are DICOM series, one is NRRD or MetaImage, one multi-frame DICOM. Each
has to be read with the right geometry and values (or with a warning where two statements of the
header disagree), or to be refused in one line; without a crash, within 10 s, in 2 GiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from bundle.errors import InputError
from bundle.images.volumes import read_volume
from tests.images.mutated import TO_LPS, Case
from tests.images.mutated_dicom import DicomSeries
from tests.images.mutated_frames import MultiFrameFiles
from tests.images.mutated_nifti import NiftiFiles
from tests.images.mutated_text import TextHeaders

MEMORY, SECONDS = 2**31, 10
GOOD = ("right", "warned", "refused", "stated so")
TURNS = (0, 1, 0, 1, 2, 0, 1, 3)
"""Which kind of file comes in turn."""


def outcome(case: Case) -> str:
    """``right``, ``warned``, ``refused``, ``stated so``, or what must not be."""
    try:
        volume = read_volume(case.path)
    except InputError as error:
        text = str(error)
        folder = case.path if case.path.is_dir() else case.path.parent  # also of detached data
        named = text.startswith(str(folder)) and "\n" not in text
        return "refused" if named else f"a message without its file: {text}"
    except BaseException as error:  # also what signals and the limit of memory bring up
        return f"{type(error).__name__}: {error}"
    wrong = _wrong(case, volume.image)
    if not wrong:
        return "right"
    if any(one.warning for one in volume.remarks):
        return "warned"
    return "stated so" if case.stated else f"wrong: {wrong}"


def _wrong(case: Case, image: sitk.Image) -> str:
    """What differs from the volume that was changed, '' if nothing does."""
    shape = case.values.shape
    if image.GetSize() != shape:
        return f"read as {image.GetSize()}"
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(shape) - 1)
    found = [image.TransformIndexToPhysicalPoint(corner.tolist()) for corner in corners]
    expected = (TO_LPS @ case.affine @ np.c_[corners, np.ones(8)].T)[:3].T
    away = float(np.linalg.norm(found - expected, axis=1).max())
    if away > 0.1:
        return f"{away:.1f} mm off"
    return "" if (case.values == sitk.GetArrayViewFromImage(image).T).all() else "other values"


def run(count: int, seed: int) -> dict[str, object]:
    """Read so many changed files."""
    rng = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    bad, slowest = [], 0.0
    limit_memory()
    signal.signal(signal.SIGALRM, _too_long)
    with tempfile.TemporaryDirectory() as place:
        kinds = [
            kind(Path(place)) for kind in (NiftiFiles, DicomSeries, TextHeaders, MultiFrameFiles)
        ]
        for number in range(count):
            case = kinds[TURNS[number % len(TURNS)]].changed(rng)
            began = time.process_time()
            signal.alarm(SECONDS * 6)  # of a machine that is busy
            said = outcome(case)
            signal.alarm(0)
            slowest = max(slowest, time.process_time() - began)
            outcomes[said if said in GOOD else "bad"] += 1
            if said not in GOOD:
                bad.append(f"{number}: {case.change}: {said}")
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
