"""The real server over a folder with the project's phantom; needs the environment .venv-label."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[3]
MAX_UPLOAD_MB = 8
# without monailabel these tests are not part of the run: make test-label runs them
collect_ignore_glob = [] if importlib.util.find_spec("monailabel") else ["test_*.py"]


@pytest.fixture(scope="session")
def studies(tmp_path_factory) -> Path:
    """Coarse phantom volumes, a DICOM series of the CT, and a file that is no image."""
    from bundle.phantom.pairs import write_volumes

    full, folder = tmp_path_factory.mktemp("phantom"), tmp_path_factory.mktemp("studies")
    write_volumes(full)
    names = {"mri_t1": "head_fixed", "ct": "head_moving", "pet": "tracer"}
    for source, name in names.items():
        volume = sitk.ReadImage(str(full / f"{source}.nii.gz"), sitk.sitkFloat32)
        coarse = sitk.BinShrink(volume, (2, 2, 8))
        if name != "head_fixed":  # the patient lay elsewhere in the other scanner
            coarse.SetOrigin([x + d for x, d in zip(coarse.GetOrigin(), (6, -4, 0), strict=True)])
        sitk.WriteImage(coarse, str(folder / f"{name}.nii.gz"))
    write_series(sitk.ReadImage(str(folder / "head_moving.nii.gz")), folder / "series")
    (folder / "text.nii.gz").write_text("not an image")
    return folder


def write_series(volume: sitk.Image, folder: Path) -> None:
    """Write a CT volume as a DICOM series."""
    folder.mkdir()
    volume = sitk.Cast(sitk.Clamp(volume, sitk.sitkFloat32, -1024, 3000), sitk.sitkInt16)
    direction = volume.GetDirection()
    axes = [direction[k] for k in (0, 3, 6, 1, 4, 7)]
    for k in range(volume.GetSize()[2]):
        image = volume[:, :, k : k + 1]
        tags = {
            "0008|0060": "CT",
            "0010|0010": "Secret^Name",
            "0020|000d": "1.2.3",
            "0020|000e": "1.2.3.4",
            "0020|0013": str(k),
            "0020|0032": "\\".join(f"{x:.5f}" for x in image.GetOrigin()),
            "0020|0037": "\\".join(f"{x:.6f}" for x in axes),
            "0028|1052": "0",
            "0028|1053": "1",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{k:03d}.dcm"))
        writer.Execute(image)


@pytest.fixture(scope="session")
def server_log(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="session")
def server(studies, server_log):
    """Address of a running server, started as ``make label`` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *("make", "--no-print-directory", "-n", "label", f"STUDIES={studies}", f"PORT={port}"),
        *("-o", ".venv-label/installed", "-o", ".venv-label/bin/python"),
    ]
    recipe = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    recipe = recipe[recipe.index(".venv-label/bin/python -m scripts.cli") :]
    recipe = recipe.replace(".venv-label/bin/python", f"exec {sys.executable}", 1)
    environment = {**os.environ, "BIMSREC_MAX_UPLOAD_MB": str(MAX_UPLOAD_MB)}
    with server_log.open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", recipe], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        _wait(port, process, server_log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended:\n{log.read_text(encoding='utf-8')[-3000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")
