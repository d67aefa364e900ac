"""The wheel, installed in an environment of its own, works outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bundle import __version__

ROOT = Path(__file__).resolve().parents[2]
FILES = ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE")


def _run(*words: object, cwd: Path) -> str:
    """What a command prints; it must not see the repository."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built offline from a copy of what the build reads."""
    source = tmp_path_factory.mktemp("source")
    for folder in ("bundle", "configs", "models", "scripts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation"]
    _run(*pip, "--no-index", "--quiet", "--wheel-dir", "dist", cwd=source)
    (built,) = (source / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def bimsrec(wheel, tmp_path_factory) -> Path:
    """The command, in an environment that borrows the packages of this one."""
    home = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", home / "bin/python", "install", "--quiet"]
    _run(*pip, "--no-deps", "--no-index", wheel, cwd=home)
    return home / "bin" / "bimsrec"


def test_the_wheel_has_what_the_repository_has_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name == f"bimsrec-{__version__}-py3-none-any.whl"
    assert {name.split("/")[0].removesuffix(".dist-info") for name in names} == {
        "bundle", "bimsrec", f"bimsrec-{__version__}"
    }  # fmt: skip
    assert not [name for name in names if "test" in Path(name).name]
    shipped = {name.removeprefix("bimsrec/") for name in names}
    for folder in ("bundle", "configs", "models", "scripts"):
        for path in (ROOT / folder).rglob("*.*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in name and "monailabel_app/" not in name:
                assert name in shipped


def test_a_pair_is_fused_outside_the_repository(bimsrec, tmp_path):
    random = np.random.default_rng(0)
    for name in ("mri.png", "ct.png"):
        Image.fromarray(random.integers(0, 255, (48, 64), np.uint8)).save(tmp_path / name)
    words = ["--fixed", "mri.png", "--moving", "ct.png", "--modality", "CT", "--output_dir", "out"]
    _run(bimsrec, "fuse", *words, cwd=tmp_path)
    results = {path.name for path in (tmp_path / "out").iterdir()}
    assert results == {"fused.png", "warped.png", "ddf.nii.gz", "report.html"}


def test_it_tells_its_commands_and_its_version(bimsrec, tmp_path):
    assert _run(bimsrec, "--version", cwd=tmp_path) == f"BiMSRec {__version__}\n"
    told = _run(bimsrec, "--help", cwd=tmp_path)
    assert all(f"\n  {name} " in told for name in ("fuse", "apply", "train", "label"))
    others = told.split("also: ")[1].split("\n")[0].split(", ")
    assert "weights" in others and not {"command", "cli", "progress", "messages"} & set(others)
    assert "usage: bimsrec fuse" in _run(bimsrec, "fuse", "--help", cwd=tmp_path)
