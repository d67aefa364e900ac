from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bundle.evaluation import demo_pairs
from bundle.geometry.slices import to_slices
from bundle.images.volumes import read_volume
from scripts import demo, overview
from tests.inference.stubs import Brightest, KnownMatch


class Still(Brightest):
    """Finds no displacement at all."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def register(self, image: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(image)

    def match(self, image: torch.Tensor) -> KnownMatch:
        return KnownMatch(self.register(image))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([image.amax(dim=1, keepdim=True), self.register(image)], dim=1)


@pytest.fixture
def still(tmp_path, monkeypatch):
    """A small head, and overrides for a network that does nothing."""
    grid = {"shape": (48, 56, 3), "spacing": (4.0, 4.0, 20.0), "centre": (0.0, 0.0, 0.0)}
    monkeypatch.setattr(demo_pairs, "GRID", grid)
    make_pairs = demo_pairs.make_pairs
    monkeypatch.setattr(demo_pairs, "make_pairs", lambda *a, **k: make_pairs(*a, size=64, **k))
    torch.save(Still().state_dict(), tmp_path / "still.pt")
    checkpoint = ["--checkpoint", str(tmp_path / "still.pt")]
    network_def = {"_target_": "tests.scripts.test_demo.Still"}
    return checkpoint, {
        "network_def": network_def,
        "device": "cpu",
        "init": "none",
        "plane": "axial",
    }


def test_errors_of_a_network_that_does_nothing(still, tmp_path, capsys):
    checkpoint, overrides = still
    out = tmp_path / "out"
    for _ in range(2):  # running it again replaces the results
        demo.main(["--output_dir", str(out), *checkpoint], **overrides)
    printed = capsys.readouterr().out
    errors = re.findall(r"(\S+) (mm|px) before, (\S+) (?:mm|px) after", printed)
    assert [unit for _, unit, _ in errors] == 2 * ["mm", "mm", "px"]
    for before, _, after in errors:
        assert after == before
    assert printed.endswith(
        f"results: {out}\npicture: {out / 'overview.png'}\nQC page: {out / 'report.html'}\n"
    )
    assert np.asarray(Image.open(out / "overview.png").convert("L")).std() > 20
    assert (out / "report.html").read_text(encoding="utf-8").count("data:image/png") == 3 * 7
    for name in ("ct/fused.nii.gz", "pet/ddf.nii.gz", "pet_picture/warped.png"):
        assert (out / name).is_file()


def test_the_picture_of_the_readme_is_replaced_only_by_name(capsys):
    with pytest.raises(SystemExit):
        overview.main([])
    assert "required: --output" in capsys.readouterr().err


def test_a_demo_that_holds_nothing_is_one_line(tmp_path):
    (tmp_path / "phantom").mkdir()
    words = ["--demo", str(tmp_path), "--output", str(tmp_path / "a.png")]
    with pytest.raises(SystemExit, match=r"^error: .*mri_t1.nii.gz: .*; run make demo first$"):
        overview.main(words)
    with pytest.raises(SystemExit, match=r"^error: .*a.jpg: .*; name it .png$"):
        overview.main([*words[:3], str(tmp_path / "a.jpg")])
    assert not list(tmp_path.glob("a.*"))


def test_before_is_the_mean_length_of_the_true_field_in_mm(still, tmp_path, capsys):
    checkpoint, overrides = still
    demo.main(["--output_dir", str(tmp_path / "out"), *checkpoint], **overrides)
    aligned = to_slices(read_volume(tmp_path / "out" / "phantom" / "ct.nii.gz").image)
    labels = to_slices(read_volume(tmp_path / "out" / "phantom" / "labels.nii.gz").image)[0]
    _, ddf = demo_pairs.misalign(aligned, seed=0)
    expected = 4.0 * ddf.norm(dim=0)[labels > 0].mean()  # voxels of 4 mm
    printed = re.search(r"CT volume: (\S+) mm before", capsys.readouterr().out)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(float(expected), abs=0.006)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--checkpoint", "missing.pt"], "missing.pt: no such file"),
        (["--seed", "-1"], "--seed -1: "),
        (["--seed", "2147483648"], "--seed 2147483648: give a whole number from 0 to 2147483647"),
    ],
)
def test_failure_is_one_line(still, tmp_path, option, message):
    checkpoint, overrides = still
    with pytest.raises(SystemExit, match=f"^error: {message}[^\n]*$"):
        demo.main(["--output_dir", str(tmp_path / "out"), *checkpoint, *option], **overrides)
    assert not (tmp_path / "out").exists()


def test_the_largest_seed_makes_a_misalignment():
    # the second volume of a head has the larger seed
    _, ddf = demo_pairs.misalign(torch.zeros(1, 32, 32, 2), 2 * demo_pairs.LARGEST_SEED + 1)
    assert ddf.isfinite().all()


@pytest.mark.parametrize("beside", [[], ["phantom", "notes"]])
def test_a_folder_of_somebody_else_is_refused(beside, still, tmp_path):
    checkpoint, overrides = still
    for name in ("ct", *beside):
        (tmp_path / "out" / name).mkdir(parents=True)
    (tmp_path / "out" / "ct" / "fused.nii.gz").write_text("mine")
    with pytest.raises(SystemExit, match="^error: .*not empty, and no earlier demo[^\n]*$"):
        demo.main(["--output_dir", str(tmp_path / "out"), *checkpoint], **overrides)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"ct", *beside}
    assert (tmp_path / "out" / "ct" / "fused.nii.gz").read_text(encoding="utf-8") == "mine"


def test_unwritable_folder_is_one_line(still, tmp_path):
    checkpoint, overrides = still
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="^error: .*cannot write here[^\n]*$"):
        demo.main(["--output_dir", str(tmp_path / "file" / "out"), *checkpoint], **overrides)
