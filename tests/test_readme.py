"""The commands of README.md and of the pages for users work as printed, in a fresh copy."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from bundle.networks import BiMSRec
from bundle.paths import COMBINER
from bundle.phantom.pairs import write_pairs, write_volumes

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    "README.md": README,
    **{
        name: (ROOT / "docs" / name).read_text(encoding="utf-8")
        for name in ("tutorial.md", "training.md", "conventions.md")
    },
}
"""Every block of these pages is run, in this order."""

DOCS = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"<!-- tested -->\n```bash\n(.*?)```", re.DOTALL)
SNIPPET = re.compile(r"<!-- tested -->\n```python\n(.*?)```", re.DOTALL)
TEXT = "".join(PAGES.values())
COMMANDS = list(dict.fromkeys(line for block in BLOCK.findall(TEXT) for line in block.splitlines()))
WEIGHTS = 'modality="CT", checkpoint="models/model.pt"'
"""The snippets run with the copy's weights, as the commands do."""

QUICK = (
    "--max_epochs 2 --image_size 64 --reduction 4 --batch_size 2 --num_workers 0 --val_interval 9"
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the repository with an untrained BiMSRec and the images that the pages name."""
    root = tmp_path_factory.mktemp("readme") / "checkout"
    for folder in ("bundle", "configs", "scripts"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    for path in (ROOT / "Makefile", *ROOT.glob("requirements*.txt")):
        shutil.copy(path, root)
    (root / "models").mkdir()
    torch.manual_seed(0)
    torch.save(BiMSRec().state_dict(), root / "models" / "model.pt")
    shutil.copy(COMBINER, root / "models")  # the snippets run with the repository's own
    _write_images(root)
    return root


def _write_images(root: Path) -> None:
    """The phantom under the pages' names; training finds the tiny one instead of making one."""
    pairs = root / "my_pairs"
    for split in ("train", "val"):
        write_pairs(pairs, 1, size=64, split=split)
    shutil.copytree(pairs, root / "out" / "phantom")
    fixed = next((pairs / "PET-MRI" / "train" / "MRI").iterdir())
    shutil.copy(fixed, root / "mri.png")
    shutil.copy(pairs / "PET-MRI" / "train" / "PET" / fixed.name, root / "pet.png")
    write_volumes(root / "head", shape=(48, 56, 2), spacing=(4.0, 4.0, 20.0))
    shutil.copy(root / "head" / "mri_t1.nii.gz", root / "mri.nii.gz")
    shutil.copy(root / "head" / "ct.nii.gz", root / "ct.nii.gz")
    shutil.copy(root / "head" / "labels.nii.gz", root / "ct_labels.nii.gz")
    demo = root / "out" / "demo" / "phantom"  # what make demo would leave
    shutil.copytree(root / "head", demo)
    (demo / "ct.nii.gz").rename(demo / "ct_misaligned.nii.gz")
    shutil.copy(root / "mri.png", demo / "picture_mri.png")
    shutil.copy(root / "pet.png", demo / "picture_pet_misaligned.png")
    (datalist,) = re.findall(r"`(\{.*?\})`", README)
    (root / "pairs.json").write_text(json.dumps(json.loads(datalist)))


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    if words[0] == "make":
        words.insert(1, "-n")  # what it would do: installing takes minutes
    else:
        assert words[0] == ".venv/bin/python"
        words[0] = sys.executable
    if "training" in words:
        words += QUICK.split()
        if "--resume" not in words:  # as if stopped after the first epoch
            words += ["--train#trainer#max_epochs", "1"]
    if "evaluating" in words:
        words += ["--image_size", "64"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command, checkout):
    done = _run(command, checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    words = shlex.split(command)
    if "evaluating" in words:
        assert (checkout / words[words.index("--output_dir") + 1] / "summary.md").is_file()
    elif "--output_dir" in words:
        out = checkout / words[words.index("--output_dir") + 1]
        names = {path.name.split(".")[0] for path in out.rglob("*.*")}
        expected = {"fused", "warped", "ddf", "report"}
        more = {"transform", "transform_inverse", "rigid", "uncertainty"}
        assert names == expected | (more if "volume" in str(out) else set())
    if "--ckpt_dir" in words:
        assert (checkout / words[words.index("--ckpt_dir") + 1] / "last.pt").is_file()
    if "--resume" in words:
        assert "resumed from" in done.stdout + done.stderr


SNIPPETS = SNIPPET.findall(TEXT)


@pytest.fixture(scope="module")
def executed(checkout) -> dict:
    """The names that the page's Python snippets leave, run in order after its commands."""
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout)
        for snippet in SNIPPETS:
            exec(snippet.replace('modality="CT"', WEIGHTS), names)
    return names


def test_the_field_is_applied_as_the_readme_says(executed, checkout):
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(checkout / "out/volume/warped.nii.gz")))
    last = sitk.GetArrayFromImage(executed["warped"])  # of the last snippet
    assert np.abs(last - written).max() < 1e-3 * np.ptp(written)


def test_python_writes_what_the_command_writes(executed, checkout):
    for name in ("fused.nii.gz", "warped.nii.gz", "ddf.nii.gz", "uncertainty.nii.gz"):
        written = [(checkout / "out" / way / name).read_bytes() for way in ("volume", "python")]
        assert written[0] == written[1], name
    assert executed["transform"].GetDimension() == 3 and executed["result"].report.unit == "mm"


def test_commands_are_found():
    text = " ".join(COMMANDS)
    for part in ("make demo", "make test", "scripts.fuse", "--datalist", "training", "--resume"):
        assert part in text


def test_options_exist():
    """The bundle command accepts unknown options silently."""
    config = json.loads((ROOT / "configs" / "train.json").read_text(encoding="utf-8"))
    rows = re.findall(r"^\| `--(\w+)` \| `?([\w.]+)`? \|", PAGES["training.md"], re.MULTILINE)
    options = dict(rows)
    assert len(options) == 9
    for name, value in options.items():
        assert name in config
        assert value == {None: "none"}.get(config[name], str(config[name]))
    for command in COMMANDS:
        if "training" in command:
            assert set(re.findall(r"--(\w+)", command)) - {"config_file"} <= set(config)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_tested(page):
    text = PAGES[page]
    assert text.count("```bash") == len(BLOCK.findall(text))
    assert text.count("```python") == len(SNIPPET.findall(text))


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 100
