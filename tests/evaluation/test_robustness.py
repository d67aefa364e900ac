"""Robustness: changes that keep the truth true, faults that are found, the command."""

import pytest
import torch
from monai.networks.blocks import Warp

from bundle.evaluation.checks.robustness import CHANGES, Case, examine, verdict
from bundle.networks import BiMSRec
from bundle.phantom.pairs import write_pairs
from scripts.robustness import main


def smooth(seed: int, channels: int = 1) -> torch.Tensor:
    coarse = torch.rand(1, channels, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear", align_corners=True)


@pytest.fixture
def case() -> Case:
    """A pair of one contrast: the true field takes moving exactly to fixed."""
    moving, ddf = smooth(0), 6 * smooth(1, 2) - 3
    return Case(Warp("bilinear", "border")(moving, ddf), moving, ddf)


@pytest.mark.parametrize("name", ["half resolution", "upsampled twice", "turned by 90 degrees"])
def test_the_true_field_stays_true(case, name):
    changed = CHANGES[name](case, case)
    warped = Warp("bilinear", "border")(changed.moving, changed.true_ddf)
    inner = (..., slice(6, -6), slice(6, -6))
    before = (changed.moving - changed.fixed)[inner].abs().mean()
    assert (warped - changed.fixed)[inner].abs().mean() < 0.15 * before


def test_no_change_leaves_the_case(case):
    changed = CHANGES["unchanged"](case, case)
    assert changed is case
    assert CHANGES["moving of another patient"](case, case).true_ddf is None


def test_a_stranger_is_another_patient():
    cases = [Case(smooth(k), smooth(k), None, patient) for k, patient in enumerate("aab")]
    seen = []

    def infer(image):
        seen.append(image[:, 1:])
        return torch.cat([image[:, :1], torch.zeros(1, 2, 64, 64)], dim=1)

    examine(cases, CHANGES["moving of another patient"], infer)
    for moving, expected in zip(seen, (2, 2, 0), strict=True):
        assert torch.equal(moving, cases[expected].moving)


def test_faults_are_found(case):
    def perfect(image):
        return torch.cat([image[:, :1], case.true_ddf], dim=1)

    good = examine([case, case], CHANGES["unchanged"], perfect)
    assert good["EPE"] == 0 < good["EPE_before"] and verdict(good) == "ok"
    broken = examine([case], CHANGES["unchanged"], lambda image: perfect(image) * torch.nan)
    assert "not finite" in verdict(broken)
    wild = examine([case], CHANGES["unchanged"], lambda image: perfect(image) * 40)
    assert verdict(wild) == "folds, unbounded"


def test_the_command_prints_every_change(tmp_path, capsys):
    write_pairs(tmp_path, 1, size=64, split="val")
    torch.manual_seed(0)
    torch.save(BiMSRec().state_dict(), tmp_path / "untrained.pt")
    options = ["--dataset_dir", str(tmp_path), "--image_size", "64", "--stride", "2"]
    main([*options, "--checkpoint", str(tmp_path / "untrained.pt")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].lstrip("| ") for line in lines if " ok |" in line] == list(CHANGES)
    with pytest.raises(SystemExit, match="no such file"):
        main([*options, "--checkpoint", str(tmp_path / "none.pt")])
